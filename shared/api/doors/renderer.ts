import type { AnswerUsage, Ending, GenerationEvent, SampledLogprob, Timings } from '../events.ts'
import type { Asked } from '../../conversation/conversation.ts'
import type { ServiceError } from '../errors.ts'

/** What is known of an answer before it begins, for those who word it. */
export interface AnswerFacts {
  readonly requestId: string
  /** Name of the model that answers. */
  readonly model: string
  /** Seconds since 1970. */
  readonly createdAt: number
}

/** A request of a door, translated. */
export interface Asking {
  readonly asked: Asked
  readonly stream: boolean
  /** Name of the model that is wanted; any unless given. */
  readonly model: string | undefined
  readonly renderer: (facts: AnswerFacts) => Renderer
}

/** One choice of a whole answer. */
export interface WholeChoice extends Ending {
  readonly text: string
  /** Empty unless asked for. */
  readonly logprobs: readonly SampledLogprob[]
}

/** An answer that is complete. */
export interface WholeAnswer {
  readonly choices: readonly [WholeChoice, ...WholeChoice[]]
  readonly usage: AnswerUsage
  readonly timings: Timings
}

/** Words one answer as its door's clients know it, whole or as server-sent events. It may remember what it has said. */
export interface Renderer {
  /** Milliseconds the headers of a stream wait for its first event; a failure within them has a status of its own. */
  readonly headerDelayMs: number
  /** Sent while there is nothing to tell, so that proxies and clients do not give up. */
  readonly heartbeat: string
  /** The body of a whole answer. */
  whole(answer: WholeAnswer): object
  /** Whole server-sent events, one or several; `queued` comes first, and `end` last. */
  event(event: GenerationEvent): string
  /** The last words of a stream that failed. */
  failure(error: ServiceError): string
}

/** How a door words errors, for those who do not know the answer: the edge, and whatever fails before there is one. */
export interface ErrorForm {
  readonly body: (error: ServiceError, requestId: string) => object
  /** The last words of a stream. @param said what the stream said at its end so far, as far as it is known */
  readonly streamed: (error: ServiceError, requestId: string, said: string) => string
  /** Header in which the door's clients look for the request id, beside our own. */
  readonly idHeader?: string
}
