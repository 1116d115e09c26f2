import { ServiceError } from '../../shared/api/errors.ts'
import { isEventStream } from '../../shared/api/wire/media-type.ts'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import { startDeadline } from '../../shared/async/deadline.ts'
import { routes } from '../../shared/api/routes.ts'
import {
  afterFailure,
  afterSuccess,
  newBreaker,
  shareOf,
  type Breaker,
  type Failure,
} from '../../shared/balance/breaker.ts'
import { chooseServer } from '../../shared/balance/choose.ts'
import type {
  BackendAnswer,
  BackendInit,
  BackendReply,
  CallBackend,
  StreamEnd,
} from './exchange.ts'
import { readWhole } from './read-whole.ts'
import { NotConnectedError, type BackendTarget } from './target.ts'
import { checkConnected, failureOf, wasTurnedAway } from './verdict.ts'

/** How often one request is offered to backends. More would only delay the answer that none is available. */
const maxAttempts = 3

/** Milliseconds a probe may take. */
const probeTimeoutMs = 800

/**
 * Tokens of an image for a model that is not known yet: the most that any of the models makes of one. A limit of 16,384
 * patches (docs/models.md) is 4,096 tokens, and holds before the image is padded to whole tokens, so that long thin ones
 * become up to 4,464.
 */
const mostImageTokens = 4_464

/** Milliseconds between probes of a healthy backend: failures in between are noticed by the requests themselves. */
const probeIntervalMs = 5_000

/**
 * Milliseconds for which an answer shows that a backend is alive: two probes, so that one may be late. A backend that does
 * not connect in time and has answered since then is on a busy machine; another one hangs.
 */
const aliveMs = 2 * probeIntervalMs

interface PoolParts {
  readonly targets: readonly BackendTarget[]
  /** Milliseconds. */
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  /** Milliseconds no request exceeds: a request still counted after that was lost with its connection. */
  readonly deadlineMs: number
}

interface Backend {
  readonly target: BackendTarget
  breaker: Breaker
  /** The most tokens of an image, as its last answer stated; undefined before the first. */
  imageTokens: number | undefined
  /** When it last answered anything. */
  answeredAt: number
  nextProbeAt: number
  /** For each request in progress, the time by which it must be over, in order of their start. */
  readonly running: Set<{ readonly over: number }>
}

/**
 * The backends behind one edge: chooses one for each request, moves requests away from failing ones and lets
 * recovered ones grow into their load. Holds only numbers, so that a Worker's requests can share it. It has no
 * timers: requests trigger the probes.
 */
export class BackendPool {
  readonly #backends: readonly Backend[]
  readonly #parts: PoolParts

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#backends = parts.targets.map((target) => ({
      target,
      breaker: newBreaker,
      imageTokens: undefined,
      answeredAt: -Infinity,
      nextProbeAt: 0,
      running: new Set(),
    }))
  }

  /**
   * Sends to the most suitable backend. It is offered again only if the body can be sent again and nothing can run twice:
   * either there was no connection, or the backend reported that it refused the request. One of several that was only slow
   * to connect may be asked again, unless another one is better: it may be all that is left while others are restarted.
   */
  readonly call: CallBackend = async (path, init) => {
    this.#probe(init)
    const refused: Backend[] = []
    for (let attempts = 1; ; attempts += 1) {
      const backend = this.#choose(init.affinity, refused)
      if (init.forAll === true && attempts === 1) this.#copyToOthers(backend, path, init)
      const mayRepeat = isReplayable(init) && attempts < maxAttempts
      const hasOthers = refused.length + 1 < this.#backends.length
      const outcome = await this.#attempt(backend, path, init, mayRepeat && hasOthers)
      if (outcome === 'refused') {
        refused.push(backend)
        continue
      }
      if (!(outcome instanceof NotConnectedError)) return outcome
      const isBusy = outcome.isSlow && this.#isAlive(backend)
      if (!mayRepeat || !(isBusy || hasOthers)) throw outcome
      if (!isBusy) refused.push(backend)
    }
  }

  /** The most tokens that an image takes on any of the backends. */
  readonly imageTokens = (): number =>
    Math.max(...this.#backends.map((backend) => backend.imageTokens ?? mostImageTokens))

  /** Sends a copy to the other backends. A failure does not matter: an unreachable backend has lost its calls anyway. */
  #copyToOthers(except: Backend, path: string, init: BackendInit): void {
    for (const backend of this.#backends) {
      if (backend === except) continue
      const sent = backend.target.send(path, init).then(
        (answer) => answer.arrayBuffer(),
        () => undefined,
      )
      init.background?.(sent.catch(() => undefined))
    }
  }

  #choose(affinity: string | undefined, refused: readonly Backend[]): Backend {
    const now = this.#parts.now()
    const candidates = this.#backends
      .filter((backend) => !refused.includes(backend))
      .map((backend) => ({
        backend,
        id: backend.target.id,
        available: backend.breaker.phase === 'closed',
        silent: backend.breaker.phase === 'open' && backend.breaker.silent === true,
        outstanding: this.#countRunning(backend),
        share: shareOf(backend.breaker, now),
      }))
    const chosen = chooseServer(candidates, affinity, this.#parts.random())
    if (chosen === undefined) throw new TypeError('A pool needs a backend')
    return chosen.backend
  }

  /** Whether a backend that keeps one waiting is worth another attempt. A single one is not: its client may come again. */
  #isAlive({ answeredAt }: Backend): boolean {
    return this.#backends.length > 1 && this.#parts.now() - answeredAt < aliveMs
  }

  /** A request whose Worker was ended from outside is never reported as over, so its time limit decides. */
  #countRunning({ running }: Backend): number {
    const now = this.#parts.now()
    for (const entry of running) {
      if (entry.over > now) break
      running.delete(entry)
    }
    return running.size
  }

  /** @param hasOthers whether a refusal is of no interest, because another backend may be asked */
  async #attempt(
    backend: Backend,
    path: string,
    init: BackendInit,
    hasOthers: boolean,
  ): Promise<BackendReply | NotConnectedError | 'refused'> {
    const release = this.#take(backend)
    try {
      const response = await backend.target.send(path, init)
      checkConnected(response)
      const backendId = backend.target.id
      if (isEventStream(response.headers.get('content-type'))) {
        this.#noteAnswer(backend, response)
        // Excludes the body, which would otherwise be held until the stream ends.
        const { signal, bodyFailure } = init
        const ended = (how: StreamEnd) => {
          release()
          if (how === 'broken' && !isBlameless({ signal, bodyFailure }))
            this.#noteFailure(backend, 'unreachable')
        }
        return { answer: response, backendId, ended }
      }
      // Read completely, so that a truncated answer can still become an error with a status.
      const { body, held } = await readWhole(response, init)
      release()
      if (!isBlameless(init)) this.#noteAnswer(backend, response)
      if (hasOthers && wasTurnedAway(response, body)) {
        held?.release()
        return 'refused'
      }
      const { status, headers } = response
      const answer = { status, headers, body: null, arrayBuffer: async () => body }
      return { answer, backendId, ended: () => held?.release() }
    } catch (error) {
      release()
      if (isBlameless(init) || error instanceof ServiceError) throw error
      if (error instanceof NotConnectedError) {
        this.#noteFailure(backend, error.isSlow ? 'silent' : 'unreachable')
        return error
      }
      // A backend may answer early and close, so one broken upload proves nothing.
      this.#noteFailure(backend, isReplayable(init) ? 'unreachable' : 'fault')
      throw error
    }
  }

  /** @returns a function to call when the request is over; calling it again does nothing */
  #take({ running }: Backend): () => void {
    const entry = { over: this.#parts.now() + this.#parts.deadlineMs }
    running.add(entry)
    return () => running.delete(entry)
  }

  #noteAnswer(backend: Backend, answer: BackendAnswer): void {
    backend.imageTokens = statedTokens(answer) ?? backend.imageTokens
    const now = this.#parts.now()
    backend.answeredAt = now
    const failure = failureOf(answer)
    backend.breaker =
      failure === undefined
        ? afterSuccess(backend.breaker, now)
        : afterFailure(backend.breaker, failure, now)
    this.#planProbe(backend)
  }

  #noteFailure(backend: Backend, failure: Failure): void {
    backend.breaker = afterFailure(backend.breaker, failure, this.#parts.now())
    this.#planProbe(backend)
  }

  #planProbe(backend: Backend): void {
    const { breaker } = backend
    backend.nextProbeAt =
      breaker.phase === 'open' ? breaker.until : this.#parts.now() + probeIntervalMs
  }

  /** Probes the backends that are due. With a single one there is nothing to choose and nothing to probe. */
  #probe({ background }: BackendInit): void {
    if (this.#backends.length < 2) return
    const now = this.#parts.now()
    for (const backend of this.#backends.filter(({ nextProbeAt }) => now >= nextProbeAt)) {
      backend.nextProbeAt = now + probeIntervalMs
      const probe = this.#ask(backend)
      background?.(probe)
    }
  }

  async #ask(backend: Backend): Promise<void> {
    const deadline = startDeadline(probeTimeoutMs)
    try {
      const response = await backend.target.send(routes.health.path, {
        method: 'GET',
        headers: {},
        signal: deadline.signal,
      })
      await response.arrayBuffer()
      if (response.status === 200) this.#noteAnswer(backend, response)
      else this.#noteFailure(backend, 'unreachable')
    } catch (error) {
      const isSlow = error instanceof NotConnectedError && error.isSlow
      this.#noteFailure(backend, deadline.expired || isSlow ? 'silent' : 'unreachable')
    } finally {
      deadline.release()
    }
  }
}

function statedTokens({ headers }: BackendAnswer): number | undefined {
  const stated = headers.get(forwardHeaders.imageTokens)
  return stated !== null && /^[1-9]\d{0,5}$/.test(stated) ? Number(stated) : undefined
}

/** Whether the backend is not to blame: the call was ended from here, or the body broke at the client's end. */
function isBlameless({
  signal,
  bodyFailure,
}: Pick<BackendInit, 'signal' | 'bodyFailure'>): boolean {
  return signal.aborted || bodyFailure?.() !== undefined
}

function isReplayable({ body }: BackendInit): boolean {
  return (
    body === undefined ||
    typeof body === 'string' ||
    body instanceof Uint8Array ||
    Array.isArray(body)
  )
}
