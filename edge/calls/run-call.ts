import { errorFormOf } from '../../shared/api/doors/error-forms.ts'
import { ServiceError, toServiceError } from '../../shared/api/errors.ts'
import { isEventStream } from '../../shared/api/wire/media-type.ts'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import { formatFailedComment, parseUsage } from '../../shared/forward/usage-comment.ts'
import type { LogLine } from '../../shared/log/log-line.ts'
import type { BackendAnswer, BackendReply, StreamEnd } from '../backends/exchange.ts'
import type { KeyIdentity } from '../keys/key-record.ts'
import { demandOf, type Need } from '../limits/demand.ts'
import { limitHeaders } from '../limits/limit-headers.ts'
import { type Meter, type Settlement, tokensOf } from '../limits/meter.ts'
import { Reservation } from '../limits/reservation.ts'
import type { AnswerTail } from './relay/answer-tail.ts'
import { type Call, type CallOutcome, timeLeft } from './call.ts'
import type { EdgeContext, EdgeHandler } from './context.ts'
import { forward, type ForwardedMessage, type ForwardParts } from './forward.ts'
import { clientResponseHeaders } from './headers.ts'
import { passOn } from './relay/pass-on.ts'
import { shuttingDown } from './stopping.ts'
import type { CallMeasure } from './observe/measure-call.ts'
import type { AnswerEnd } from './relay/stream-reading.ts'
import type { StreamRelay } from './relay/stream-relay.ts'
import { errorText } from '../../shared/log/error-text.ts'

/** A route's plan for a request: what it may use, and what to send once it is admitted. */
interface CallPlan {
  readonly need: Need
  readonly message: () => ForwardedMessage | Promise<ForwardedMessage>
}

/** Reads a request of one route. @throws {ServiceError} for an invalid one */
export type ReadCall = (c: EdgeContext) => Promise<CallPlan>

export interface RunParts extends ForwardParts {
  /** Counts what keys use. */
  readonly meter: Pick<Meter, 'reserve' | 'settle'>
  /** The most tokens that one image takes, as far as is known. */
  readonly imageTokens: () => number
  /** Passes streams on. */
  readonly relay: StreamRelay
  readonly log: (line: LogLine) => void
  /** Undefined where calls are not counted. */
  readonly measure: Pick<CallMeasure, 'unrecorded'> | undefined
}

/**
 * Milliseconds without a byte of a stream after which its backend is considered gone: two missed heartbeats and some.
 */
const silenceMs = 25_000

/**
 * Runs the calls of keys, for every route: reserves what a call may use, forwards it with what was granted, relays
 * the answer and, when it has ended in any way, settles for what it used.
 *
 * A call of a key with limits waits for the reservation, and the last bytes of its answer wait for the settlement,
 * unless much more is left than the call held. So a client that has the whole answer can immediately send its next
 * request.
 * @returns a handler that throws {ServiceError} `rate_limited`, `quota_exceeded`, `limits_unavailable`, or what `read`
 *   and `forward` throw
 */
export function runCalls(parts: RunParts): (read: ReadCall) => EdgeHandler {
  return (read) => async (c) => {
    const { key } = c.var.call
    if (key === undefined) throw new TypeError('Only calls with a key are run')
    const plan = await read(c)
    c.var.call.held?.judged()
    return new Run(parts, c, key, plan.need).answer(plan)
  }
}

class Run {
  readonly #parts: RunParts
  readonly #c: EdgeContext
  readonly #call: Call
  readonly #key: KeyIdentity
  readonly #startedAt: number
  readonly #reservation: Reservation
  #images: number
  #settled: Promise<void> | undefined

  constructor(parts: RunParts, c: EdgeContext, key: KeyIdentity, need: Need) {
    this.#parts = parts
    this.#c = c
    this.#call = c.var.call
    this.#key = key
    this.#startedAt = parts.now()
    const deadlineMs = timeLeft(this.#call, parts)
    this.#reservation = new Reservation({ meter: parts.meter, key, deadlineMs })
    this.#images = need.images.least
  }

  async answer({ need, message }: CallPlan): Promise<Response> {
    const demand = demandOf(need, this.#parts.imageTokens())
    this.#call.phases.enter('reserve', this.#startedAt)
    const { standings, refusal } = await this.#reservation.admit(demand)
    this.#call.standings = standings
    if (refusal !== undefined) throw refusal
    this.#call.admittedAt = this.#parts.now()
    try {
      const { granted } = this.#reservation
      return await this.#pass(await forward(this.#parts, this.#c, await message(), granted))
    } catch (error) {
      const failure = toServiceError(error)
      await this.#end(failure.code === 'cancelled' ? 'cancelled' : 'failed', {})
      throw error
    }
  }

  async #pass({ answer, backendId, ended }: BackendReply): Promise<Response> {
    const { status, headers, body } = answer
    this.#call.answeredAt = this.#parts.now()
    this.#call.phases.enter('relay', this.#call.answeredAt)
    this.#call.backendId = backendId
    const images = headers.get(forwardHeaders.imageCount)
    if (images !== null && /^\d{1,3}$/.test(images)) this.#images = Number(images)
    const isStream = isEventStream(headers.get('content-type')) && body !== null
    const sent = isStream ? this.#relay(body, ended) : await this.#keep(answer, ended)
    const limits = limitHeaders(this.#call.standings)
    return new Response(sent, { status, headers: { ...clientResponseHeaders(headers), ...limits } })
  }

  /** A complete answer is settled before it is sent, so that nothing depends on whether its client is still there. */
  async #keep(
    answer: BackendAnswer,
    ended: BackendReply['ended'],
  ): Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null> {
    const bytes = new Uint8Array(await answer.arrayBuffer())
    const usage = parseUsage(answer.headers.get(forwardHeaders.usage) ?? '')
    const isAnswer = answer.status < 400 && usage !== undefined
    const errorCode = answer.headers.get(forwardHeaders.errorCode) ?? undefined
    const outcome = isAnswer
      ? await this.#end('answered', { usage })
      : await this.#end('failed', { errorCode })
    this.#call.outcome = Promise.resolve({ ...outcome, bytes: bytes.byteLength })
    return passOn(bytes, () => ended('whole'))
  }

  #relay(
    body: ReadableStream<Uint8Array>,
    ended: BackendReply['ended'],
  ): ReadableStream<Uint8Array> {
    const { promise: outcome, resolve } = Promise.withResolvers<CallOutcome>()
    this.#call.outcome = outcome
    const relayed = this.#parts.relay(body, {
      signal: this.#call.signal,
      stopping: this.#parts.stopping,
      idleMs: silenceMs,
      lastWords: (how, tail) => this.#lastWords(how, tail),
      onEnd: async (how, tail, bytes) => {
        ended(how)
        const end = endOf(how, tail.end())
        resolve({ ...(await this.#end(endingOf(how, end), end)), bytes })
      },
    })
    // Work that outlives the answer if its reader leaves.
    this.#parts.keepAlive(this.#c, outcome)
    return relayed
  }

  #lastWords(how: 'broken' | 'cut', tail: AnswerTail): Uint8Array {
    const error = how === 'cut' ? shuttingDown() : brokenOff()
    const form = errorFormOf(this.#c.req.path)
    const words = form.streamed(error, this.#call.requestId, tail.text())
    return new TextEncoder().encode(words + formatFailedComment(error.code))
  }

  /** Settles on the first call; later ones return the same. */
  async #end(ending: Settlement['ending'], answer: AnswerEnd): Promise<Omit<CallOutcome, 'bytes'>> {
    const outcome = this.#outcomeOf(ending, answer)
    this.#settled ??= this.#settle(outcome)
    if (this.#reservation.isTight) await this.#settled
    else this.#parts.keepAlive(this.#c, this.#settled)
    return outcome
  }

  #outcomeOf(ended: Settlement['ending'], answer: AnswerEnd): Omit<CallOutcome, 'bytes'> {
    const { errorCode } = answer
    const ending = ended === 'answered' && errorCode !== undefined ? 'failed' : ended
    const usage = ending === 'answered' ? answer.usage : (answer.usage ?? answer.usageSoFar)
    return { ending, usage, images: usage === undefined ? 0 : this.#images, errorCode }
  }

  async #settle({ ending, usage, images }: Omit<CallOutcome, 'bytes'>): Promise<void> {
    const settled = { ending, usage, images, ms: this.#parts.now() - this.#startedAt }
    this.#call.standings = this.#reservation.standingsAfter(settled)
    try {
      await this.#reservation.settle(settled)
    } catch (cause) {
      this.#parts.measure?.unrecorded()
      this.#parts.log({
        level: 'error',
        message: 'usage was not recorded',
        request_id: this.#call.requestId,
        key_id: this.#key.id,
        ending,
        tokens: tokensOf(usage),
        images,
        detail: errorText(cause),
      })
    }
  }
}

/** What a stream said about its end; if it ended early without a word, the error its client reads instead. */
function endOf(how: StreamEnd, end: AnswerEnd): AnswerEnd {
  if (end.usage !== undefined || end.errorCode !== undefined) return end
  if (how === 'cut') return { ...end, errorCode: shuttingDown().code }
  return how === 'broken' ? { ...end, errorCode: brokenOff().code } : end
}

function endingOf(how: StreamEnd, { usage }: AnswerEnd): Settlement['ending'] {
  if (usage !== undefined) return 'answered'
  return how === 'left' ? 'cancelled' : 'failed'
}

function brokenOff(): ServiceError {
  const message = 'The connection to the model server was lost before the answer was complete'
  return new ServiceError('backend_unavailable', message)
}
