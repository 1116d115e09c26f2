import type { AnswerUsage, Ending, GenerationEvent, SampledLogprob, Timings } from '../events.ts'
import type { Asked } from '../../conversation/conversation.ts'
import type { ServiceError } from '../errors.ts'
import type { ThoughtWish } from './thought-wish.ts'

/** What is known about an answer before it begins, for its renderer. */
export interface AnswerFacts {
  readonly requestId: string
  /** Name of the answering model. */
  readonly model: string
  /** Seconds since 1970. */
  readonly createdAt: number
  /** Whether the model thinks before it answers. */
  readonly reasons: boolean
}

/** A request of any of the APIs, translated. */
export interface Asking {
  readonly asked: Asked
  readonly stream: boolean
  /** Name of the requested model; any unless given. */
  readonly model: string | undefined
  /** Nothing is wished unless given. */
  readonly thoughtWish?: ThoughtWish | undefined
  readonly renderer: (facts: AnswerFacts) => Renderer
}

/** One choice of a whole answer. */
export interface WholeChoice extends Ending {
  /** What the model thought before the text; empty unless it did. */
  readonly reasoning: string
  readonly text: string
  /** Empty unless requested. */
  readonly logprobs: readonly SampledLogprob[]
}

/** An answer that is complete. */
export interface WholeAnswer {
  readonly choices: readonly [WholeChoice, ...WholeChoice[]]
  readonly usage: AnswerUsage
  readonly timings: Timings
}

/** Formats one answer for the clients of its API, complete or as server-sent events. It may keep state between events. */
export interface Renderer {
  /** Milliseconds that a stream's headers wait for its first event; a failure within this time gets a status of its own. */
  readonly headerDelayMs: number
  /** Sent while there is no event, so that proxies and clients do not give up. */
  readonly heartbeat: string
  /** The body of a whole answer. A list in it may be a `LazyList`. */
  whole(answer: WholeAnswer): object
  /**
   * Whole server-sent events, one or several, in pieces that are read to the end; `queued` comes first, and `end` last.
   */
  event(event: GenerationEvent): Iterable<string>
  /** The last words of a stream that failed. */
  failure(error: ServiceError): string
}

/** How an API formats errors where there is no answer yet, as in the edge. */
export interface ErrorForm {
  readonly body: (error: ServiceError, requestId: string) => object
  /** The last words of a stream. @param said the end of what the stream has sent so far, if known */
  readonly streamed: (error: ServiceError, requestId: string, said: string) => string
  /** Header in which the door's clients look for the request id, beside our own. */
  readonly idHeader?: string
}
