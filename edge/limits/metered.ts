import { errorBody, ServiceError, toServiceError } from '../../shared/api/errors.ts'
import type { Usage } from '../../shared/api/events.ts'
import { formatEvent } from '../../shared/api/sse.ts'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import { runSignal } from '../forward/run-signal.ts'
import type { KeyIdentity } from '../keys/key-record.ts'
import type { EdgeContext, Platform } from '../platform.ts'
import { type AnswerEnd, AnswerTail, readAnswerEnd } from './answer-tail.ts'
import { refusalError } from './limit-headers.ts'
import type { Decision, Demand, Settlement } from './meter.ts'
import type { StreamEnd } from '../streams/stream-relay.ts'

/** How a call ended, for its log line. */
export interface CallFacts {
  readonly ending: Settlement['ending']
  readonly usage: Usage | undefined
  readonly images: number
  /** Of the answer's body; undefined when there was none to relay. */
  readonly bytes?: number
  /** Of an error that a stream told after its headers. */
  readonly errorCode?: string
}

/** Milliseconds beyond the deadline before a call that was not settled counts as crashed. */
const leaseGraceMs = 30_000

/** Milliseconds before each further attempt to settle; a settlement that gets through twice counts once. */
const settleRetryMs = [100, 1_000]

/** Milliseconds without a byte of a stream after which its backend is gone: two missed heartbeats and some. */
const silenceMs = 25_000

/** What a client is told whose stream breaks off. */
const brokenCode = 'backend_unavailable'

/**
 * Runs a call of a key: reserves what it may use, and settles for what it used when it has ended, in whatever way.
 * A key with limits waits for the reservation, and its answer's last bytes wait for the settlement, so that whoever has
 * the whole answer can have the next one. A key without limits waits for neither.
 * @throws {ServiceError} `rate_limited`, `quota_exceeded`, `limits_unavailable`, or what `run` throws
 */
export async function metered(
  c: EdgeContext,
  platform: Platform,
  demand: Demand,
  run: () => Promise<Response>,
): Promise<Response> {
  const call = await Call.open(c, platform, demand)
  c.set('admittedAt', platform.now())
  try {
    const response = await run()
    c.set('answeredAt', platform.now())
    return await call.watch(response)
  } catch (error) {
    const failure = toServiceError(error)
    await call.end(failure.code === 'cancelled' ? 'cancelled' : 'failed', {})
    throw error
  }
}

class Call {
  readonly #c: EdgeContext
  readonly #platform: Platform
  readonly #key: KeyIdentity
  readonly #callId = crypto.randomUUID()
  readonly #admittedAt: number
  readonly #isLimited: boolean
  readonly #reserved: Promise<Decision>
  #images: number
  #settled: Promise<void> | undefined
  #facts: CallFacts | undefined

  private constructor(c: EdgeContext, platform: Platform, key: KeyIdentity, demand: Demand) {
    this.#c = c
    this.#platform = platform
    this.#key = key
    this.#admittedAt = platform.now()
    this.#isLimited = Object.keys(key.limits).length > 0
    this.#images = demand.images.least
    const elapsed = this.#admittedAt - c.var.startedAt
    this.#reserved = platform.meter.reserve(key.id, {
      callId: this.#callId,
      limits: key.limits,
      demand,
      leaseMs: Math.max(0, platform.deadlineMs - elapsed) + leaseGraceMs,
    })
  }

  static async open(c: EdgeContext, platform: Platform, demand: Demand): Promise<Call> {
    const { key } = c.var
    if (key === undefined) throw new TypeError('Only calls with a key are metered')
    const call = new Call(c, platform, key, demand)
    if (call.#isLimited) await call.#admit()
    else call.#reserved.catch(() => undefined)
    return call
  }

  async #admit(): Promise<void> {
    const decision = await this.#reserved.catch((cause: unknown) => {
      throw new ServiceError('limits_unavailable', 'Limits cannot be checked now', { cause })
    })
    this.#c.set('standings', decision.standings)
    if (!decision.granted) throw refusalError(decision.refusal)
  }

  /** The answer, watched to its end. */
  async watch(response: Response): Promise<Response> {
    const images = response.headers.get(forwardHeaders.imageCount)
    if (images !== null && /^\d{1,3}$/.test(images)) this.#images = Number(images)
    response.headers.delete(forwardHeaders.imageCount)
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
    const body: ReadableStream<Uint8Array> | null = response.body
    return isStream && body !== null ? this.#relay(response, body) : this.#keep(response)
  }

  /** A whole answer is settled before it is sent, so that nothing depends on whether its client is still there. */
  async #keep(response: Response): Promise<Response> {
    const bytes = new Uint8Array(await response.arrayBuffer())
    const tail = new AnswerTail()
    tail.push(bytes)
    const end = readAnswerEnd(tail.text())
    const isAnswer = response.status < 400 && end.usage !== undefined
    await this.end(isAnswer ? 'answered' : 'failed', isAnswer ? end : {})
    this.#c.set('relayed', Promise.resolve({ ...this.#facts!, bytes: bytes.byteLength }))
    return new Response(bytes.byteLength === 0 ? null : bytes, response)
  }

  #relay(response: Response, body: ReadableStream<Uint8Array>): Response {
    let close: (facts: CallFacts) => void
    const closed = new Promise<CallFacts>((resolve) => {
      close = resolve
    })
    this.#c.set('relayed', closed)
    const watched = this.#platform.relay(body, {
      signal: runSignal(this.#c),
      idleMs: silenceMs,
      lastWords: () => brokenOff(this.#c.var.requestId),
      onEnd: async (how, tail, bytes) => {
        this.#c.var.onStreamEnd?.(how)
        const told = readAnswerEnd(tail.text())
        const isTorn = how === 'broken' && told.usage === undefined && told.errorCode === undefined
        const end = isTorn ? { ...told, errorCode: brokenCode } : told
        await this.end(endingOf(how, end), end)
        close({ ...this.#facts!, bytes })
      },
    })
    // Work that outlives the answer, should its reader leave.
    this.#platform.keepAlive(this.#c, closed)
    return new Response(watched, response)
  }

  /** Settles, the first time it is called. */
  async end(ending: Settlement['ending'], answer: AnswerEnd): Promise<void> {
    this.#settled ??= this.#settle(ending, answer)
    if (this.#isLimited) await this.#settled
    else this.#platform.keepAlive(this.#c, this.#settled)
  }

  async #settle(told: Settlement['ending'], answer: AnswerEnd): Promise<void> {
    const isError = answer.errorCode !== undefined
    const ending = told === 'answered' && isError ? 'failed' : told
    const usage = ending === 'answered' ? answer.usage : (answer.usage ?? answer.usageSoFar)
    const images = usage === undefined ? 0 : this.#images
    this.#facts = {
      ending,
      usage,
      images,
      ...(isError ? { errorCode: answer.errorCode } : {}),
    }
    const ms = this.#platform.now() - this.#admittedAt
    const settlement = { callId: this.#callId, ending, usage, images, ms }
    try {
      await this.#reserved
      await settleWithRetries(() => this.#platform.meter.settle(this.#key.id, settlement))
    } catch (cause) {
      this.#platform.log({
        level: 'error',
        message: 'usage was not recorded',
        request_id: this.#c.var.requestId,
        key_id: this.#key.id,
        ending,
        tokens: usage === undefined ? 0 : usage.prompt_tokens + usage.completion_tokens,
        images,
        detail: cause instanceof Error ? cause.message : null,
      })
    }
  }
}

function endingOf(body: StreamEnd, { usage }: AnswerEnd): Settlement['ending'] {
  if (usage !== undefined) return 'answered'
  return body === 'left' ? 'cancelled' : 'failed'
}

async function settleWithRetries(settle: () => Promise<void>): Promise<void> {
  for (const waitMs of settleRetryMs) {
    try {
      return await settle()
    } catch {
      await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
  }
  await settle()
}

function brokenOff(requestId: string): Uint8Array {
  const message = 'The model server broke off before the answer was complete'
  const body = errorBody(new ServiceError(brokenCode, message), requestId)
  return new TextEncoder().encode(formatEvent('error', body))
}
