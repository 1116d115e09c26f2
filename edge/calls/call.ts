import { isEventStream } from '../../shared/api/media-type.ts'
import { errorBody, ServiceError, toServiceError } from '../../shared/api/errors.ts'
import type { Usage } from '../../shared/api/events.ts'
import { formatEvent } from '../../shared/api/sse.ts'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import { clientResponseHeaders } from './headers.ts'
import { runSignal } from './run-signal.ts'
import type { KeyIdentity } from '../keys/key-record.ts'
import type { BackendAnswer, EdgeContext, Platform } from '../platform.ts'
import { type AnswerEnd, AnswerTail } from './answer-tail.ts'
import { hasClearRoom, Headroom } from '../limits/headroom.ts'
import type { LateMeter } from '../limits/late-meter.ts'
import { limitHeaders, refusalError, standingsAfter } from '../limits/limit-headers.ts'
import {
  type Decision,
  type Demand,
  type Grant,
  type Settlement,
  tokensOf,
} from '../limits/meter.ts'
import type { StreamEnd } from './stream-relay.ts'

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

/** Milliseconds without a byte of a stream after which its backend is gone: two missed heartbeats and some. */
const silenceMs = 25_000

/** What a client is told whose stream breaks off. */
const brokenCode = 'backend_unavailable'

/** How calls of keys are run: in a way that all routes share. */
export type RunMetered = (
  c: EdgeContext,
  demand: Demand,
  run: () => Promise<BackendAnswer>,
  options?: RunOptions,
) => Promise<Response>

interface RunOptions {
  /** True when `run` sets at once what withdraws it. */
  readonly mayRunAhead?: boolean
}

/**
 * Runs calls of keys: reserves what one may use, and settles for what it used when it has ended, in whatever way.
 *
 * A key with limits waits for the reservation, and its answer's last bytes wait for the settlement, so that whoever has
 * the whole answer can have the next one. Where all its limits have clear room, neither can matter, and time is saved:
 * the call begins while the reservation is under way, which still comes before the first byte of the answer, and takes
 * the call back should it be refused after all; and the settlement follows the answer. A key without limits waits for neither.
 * @returns a function that throws {ServiceError} `rate_limited`, `quota_exceeded`, `limits_unavailable`, or what `run`
 *   throws
 */
export function meteredCalls(platform: Platform, meter: LateMeter): RunMetered {
  const headroom = new Headroom(platform.now)
  return async (c, demand, run, { mayRunAhead = false } = {}) => {
    const key = c.get('key')
    if (key === undefined) throw new TypeError('Only calls with a key are metered')
    const call = new Call(c, platform, meter, key, demand)
    const ahead = mayRunAhead && headroom.isClearFor(key, demand) ? call.runAhead(run) : undefined
    try {
      await call.admit(headroom)
    } catch (error) {
      ahead?.takeBack()
      throw error
    }
    return call.finish(ahead === undefined ? run : () => ahead.answer)
  }
}

/** A run that began before it was admitted. */
interface RunAhead {
  readonly answer: Promise<BackendAnswer>
  readonly takeBack: () => void
}

class Call {
  readonly #c: EdgeContext
  readonly #platform: Platform
  readonly #meter: LateMeter
  readonly #key: KeyIdentity
  readonly #demand: Demand
  readonly #callId = crypto.randomUUID()
  readonly #startedAt: number
  readonly #isLimited: boolean
  #reserved: Promise<unknown> | undefined
  /** What a key with limits was granted. */
  #grant: Grant | undefined
  /** Whether the next call may depend on this one's settlement. */
  #isTight = false
  #images: number
  #settled: Promise<void> | undefined
  #facts: CallFacts | undefined

  constructor(
    c: EdgeContext,
    platform: Platform,
    meter: LateMeter,
    key: KeyIdentity,
    demand: Demand,
  ) {
    this.#c = c
    this.#platform = platform
    this.#meter = meter
    this.#key = key
    this.#demand = demand
    this.#startedAt = platform.now()
    this.#isLimited = Object.keys(key.limits).length > 0
    this.#images = demand.images.least
  }

  runAhead(run: () => Promise<BackendAnswer>): RunAhead {
    const c = this.#c
    c.set('admittedAt', this.#startedAt)
    const answer = run()
    // Whoever was refused does not learn how it went.
    answer.catch(() => undefined)
    const takeBack = () => {
      c.get('withdraw')?.()
      answer
        .then(
          ({ body }) => {
            c.get('onStreamEnd')?.('left')
            return body?.cancel()
          },
          () => undefined,
        )
        .catch(() => undefined)
    }
    return { answer, takeBack }
  }

  async admit(headroom: Headroom): Promise<void> {
    const reserved = headroom.listen(this.#key.id, this.#demand, () => this.#reserve())
    this.#reserved = reserved
    if (this.#isLimited) {
      const decision = await reserved.catch((cause: unknown) => {
        throw new ServiceError('limits_unavailable', 'Limits cannot be checked now', { cause })
      })
      this.#c.set('standings', decision.standings)
      if (!decision.granted) throw refusalError(decision.refusal)
      this.#grant = decision
      this.#isTight = !hasClearRoom(decision)
    } else {
      reserved.catch(() => undefined)
    }
    if (this.#c.get('admittedAt') === undefined) this.#c.set('admittedAt', this.#platform.now())
  }

  #reserve(): Promise<Decision> {
    const elapsed = this.#startedAt - this.#c.get('startedAt')
    return this.#meter.reserve(this.#key.id, {
      callId: this.#callId,
      limits: this.#key.limits,
      demand: this.#demand,
      leaseMs: Math.max(0, this.#platform.deadlineMs - elapsed) + leaseGraceMs,
    })
  }

  /** Runs the call, admitted as it is, and watches the answer to its end. */
  async finish(run: () => Promise<BackendAnswer>): Promise<Response> {
    try {
      const answer = await run()
      this.#c.set('answeredAt', this.#platform.now())
      return await this.#watch(answer)
    } catch (error) {
      const failure = toServiceError(error)
      await this.#end(failure.code === 'cancelled' ? 'cancelled' : 'failed', {})
      throw error
    }
  }

  async #watch(answer: BackendAnswer): Promise<Response> {
    const images = answer.headers.get(forwardHeaders.imageCount)
    if (images !== null && /^\d{1,3}$/.test(images)) this.#images = Number(images)
    const body = isEventStream(answer.headers.get('content-type')) ? answer.body : null
    const sent = body === null ? await this.#keep(answer) : this.#relay(body)
    const limits = limitHeaders(this.#c.get('standings') ?? [])
    const headers = { ...clientResponseHeaders(answer.headers), ...limits }
    return new Response(sent, { status: answer.status, headers })
  }

  /** A whole answer is settled before it is sent, so that nothing depends on whether its client is still there. */
  async #keep(answer: BackendAnswer): Promise<Uint8Array<ArrayBuffer> | null> {
    const bytes = new Uint8Array(await answer.arrayBuffer())
    const tail = new AnswerTail()
    tail.push(bytes)
    const end = tail.end()
    const isAnswer = answer.status < 400 && end.usage !== undefined
    await this.#end(isAnswer ? 'answered' : 'failed', isAnswer ? end : {})
    this.#c.set('relayed', Promise.resolve({ ...this.#facts!, bytes: bytes.byteLength }))
    return bytes.byteLength === 0 ? null : bytes
  }

  #relay(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    let close: (facts: CallFacts) => void
    const closed = new Promise<CallFacts>((resolve) => {
      close = resolve
    })
    this.#c.set('relayed', closed)
    const watched = this.#platform.relay(body, {
      signal: runSignal(this.#c),
      idleMs: silenceMs,
      lastWords: () => brokenOff(this.#c.get('requestId')),
      onEnd: async (how, tail, bytes) => {
        this.#c.get('onStreamEnd')?.(how)
        const told = tail.end()
        const isTorn = how === 'broken' && told.usage === undefined && told.errorCode === undefined
        const end = isTorn ? { ...told, errorCode: brokenCode } : told
        await this.#end(endingOf(how, end), end)
        close({ ...this.#facts!, bytes })
      },
    })
    // Work that outlives the answer, should its reader leave.
    this.#platform.keepAlive(this.#c, closed)
    return watched
  }

  /** Settles, the first time it is called. */
  async #end(ending: Settlement['ending'], answer: AnswerEnd): Promise<void> {
    this.#settled ??= this.#settle(ending, answer)
    if (this.#isTight) await this.#settled
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
    const ms = this.#platform.now() - this.#startedAt
    if (this.#grant !== undefined) {
      const used = { tokens: tokensOf(usage), images }
      this.#c.set('standings', standingsAfter(this.#grant, used, ms))
    }
    const settlement = { callId: this.#callId, ending, usage, images, ms }
    try {
      await this.#reserved
      await this.#meter.settle(this.#key.id, settlement, this.#isTight)
    } catch (cause) {
      this.#platform.log({
        level: 'error',
        message: 'usage was not recorded',
        request_id: this.#c.get('requestId'),
        key_id: this.#key.id,
        ending,
        tokens: tokensOf(usage),
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

function brokenOff(requestId: string): Uint8Array {
  const message = 'The model server broke off before the answer was complete'
  const body = errorBody(new ServiceError(brokenCode, message), requestId)
  return new TextEncoder().encode(formatEvent('error', body))
}
