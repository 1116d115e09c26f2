import { startDeadline } from '../../shared/async/deadline.ts'
import {
  afterFailure,
  afterSuccess,
  newBreaker,
  shareOf,
  type Breaker,
  type Failure,
} from '../../shared/balance/breaker.ts'
import type { Candidate } from '../../shared/balance/choose.ts'
import { routes } from '../../shared/api/routes.ts'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import type { BackendAnswer } from './exchange.ts'
import { NotConnectedError, type BackendTarget } from './target.ts'
import { failureOf } from './verdict.ts'

/** Milliseconds a probe may take. */
const probeTimeoutMs = 800

/** Milliseconds between probes of a healthy backend: failures in between are noticed by the requests themselves. */
const probeIntervalMs = 5_000

/**
 * Milliseconds for which an answer shows that a backend is alive: two probes, so that one may be late. A backend that does
 * not connect in time and has answered since then is on a busy machine; another one hangs.
 */
const aliveMs = 2 * probeIntervalMs

export interface BackendParts {
  /** Milliseconds. */
  readonly now: () => number
  /** Milliseconds that no request exceeds: one still counted after that was lost with its connection. */
  readonly deadlineMs: number
}

/** One backend and what is known of it. Holds only numbers, so that a Worker's requests can share it. */
export class Backend {
  readonly target: BackendTarget
  readonly #parts: BackendParts
  #breaker: Breaker = newBreaker
  #imageTokens: number | undefined
  #answeredAt = -Infinity
  #nextProbeAt = 0
  /** For each request in progress, the time by which it must be over, in order of their start. */
  readonly #running = new Set<{ readonly over: number }>()

  constructor(target: BackendTarget, parts: BackendParts) {
    this.target = target
    this.#parts = parts
  }

  /** The most tokens of an image, as its last answer stated; undefined before the first. */
  get imageTokens(): number | undefined {
    return this.#imageTokens
  }

  /** Whether it has answered lately. */
  get isAlive(): boolean {
    return this.#parts.now() - this.#answeredAt < aliveMs
  }

  get isDueForProbe(): boolean {
    return this.#parts.now() >= this.#nextProbeAt
  }

  /** What the choice between backends is based on. */
  candidate(): Candidate & { readonly backend: Backend } {
    return {
      backend: this,
      id: this.target.id,
      available: this.#breaker.phase === 'closed',
      silent: this.#breaker.phase === 'open' && this.#breaker.silent === true,
      outstanding: this.#countRunning(),
      share: shareOf(this.#breaker, this.#parts.now()),
    }
  }

  /** Counts a request as running. @returns a function to call when it is over; calling it again does nothing */
  take(): () => void {
    const entry = { over: this.#parts.now() + this.#parts.deadlineMs }
    this.#running.add(entry)
    return () => this.#running.delete(entry)
  }

  noteAnswer(answer: BackendAnswer): void {
    const now = this.#parts.now()
    this.#imageTokens = statedTokens(answer) ?? this.#imageTokens
    this.#answeredAt = now
    const failure = failureOf(answer)
    this.#breaker =
      failure === undefined
        ? afterSuccess(this.#breaker, now)
        : afterFailure(this.#breaker, failure, now)
    this.#planProbe()
  }

  noteFailure(failure: Failure): void {
    this.#breaker = afterFailure(this.#breaker, failure, this.#parts.now())
    this.#planProbe()
  }

  /** Asks whether it is healthy. Never rejects. */
  async probe(): Promise<void> {
    this.#nextProbeAt = this.#parts.now() + probeIntervalMs
    const deadline = startDeadline(probeTimeoutMs)
    try {
      const response = await this.target.send(routes.health.path, {
        method: 'GET',
        headers: {},
        signal: deadline.signal,
      })
      await response.arrayBuffer()
      if (response.status === 200) this.noteAnswer(response)
      else this.noteFailure('unreachable')
    } catch (error) {
      const isSlow = error instanceof NotConnectedError && error.isSlow
      this.noteFailure(deadline.expired || isSlow ? 'silent' : 'unreachable')
    } finally {
      deadline.release()
    }
  }

  /** A request whose Worker was ended from outside is never reported as over, so its time limit decides. */
  #countRunning(): number {
    const now = this.#parts.now()
    for (const entry of this.#running) {
      if (entry.over > now) break
      this.#running.delete(entry)
    }
    return this.#running.size
  }

  #planProbe(): void {
    this.#nextProbeAt =
      this.#breaker.phase === 'open' ? this.#breaker.until : this.#parts.now() + probeIntervalMs
  }
}

function statedTokens({ headers }: BackendAnswer): number | undefined {
  const stated = headers.get(forwardHeaders.imageTokens)
  return stated !== null && /^[1-9]\d{0,5}$/.test(stated) ? Number(stated) : undefined
}
