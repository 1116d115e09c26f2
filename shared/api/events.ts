/**
 * Why a generation ended: the model's own stop token, a token limit (`max_tokens` or the context), or the end of its
 * time (`timeout_ms` or the server's deadline). In the last case the answer is what existed by then.
 */
export type FinishReason = 'stop' | 'length' | 'timeout'

/** How one choice ended. */
export interface Ending {
  readonly reason: FinishReason
  /** The stop text that ended it, if one did. */
  readonly stopText?: string | undefined
  /** Whether `length` means that the context, not `max_tokens`, was full. */
  readonly contextFull?: boolean | undefined
}

export interface Usage {
  /** All prompt tokens, image tokens included. */
  readonly prompt_tokens: number
  readonly image_tokens: number
  readonly completion_tokens: number
}

/** Usage, and how much of it was free. */
export interface AnswerUsage extends Usage {
  /** Prompt tokens that did not have to be computed, because an earlier request began with the same ones. */
  readonly cached_tokens: number
  /** Of a model that thinks: completion tokens that are its thoughts. */
  readonly reasoning_tokens?: number
}

/** Milliseconds; `total_ms` runs from the validated request to the last token. */
export interface Timings {
  /** Tokenizing, image decoding and patching. */
  readonly prepare_ms: number
  /** Waiting for a free slot. */
  readonly queue_ms: number
  /** Vision tower, all images together. */
  readonly vision_ms: number
  /** Reading the prompt, until the first token is sampled. */
  readonly prefill_ms: number
  readonly decode_ms: number
  readonly total_ms: number
}

interface TokenLogprob {
  /** The token's own bytes as text, with U+FFFD where they are not whole characters. For a control token, its name. */
  readonly token: string
  readonly id: number
  /**
   * Natural logarithm of the probability the model gave the token, before penalties, bias, temperature and
   * truncation.
   */
  readonly logprob: number
  /** Its bytes, which may be a part of a character; none of a control token. */
  readonly bytes: Uint8Array
}

/** A token of the answer, and the most probable alternatives at its position, best first. */
export interface SampledLogprob extends TokenLogprob {
  readonly top: readonly TokenLogprob[]
}

/** The one stream every answer is rendered from. A failure is thrown as ServiceError, never an event. */
export type GenerationEvent =
  | {
      readonly type: 'queued'
      readonly position: number
      readonly promptTokens: number
      readonly imageTokens: number
    }
  /** What the model thinks before the choice's first `delta`. */
  | { readonly type: 'reasoning'; readonly index: number; readonly text: string }
  | {
      readonly type: 'delta'
      /** Index of the choice it continues, from 0. */
      readonly index: number
      readonly text: string
      /** Present on request: the tokens that begin in the text sent so far and have not been reported yet. */
      readonly logprobs?: readonly SampledLogprob[]
    }
  | {
      readonly type: 'end'
      /** One for each choice. */
      readonly endings: readonly [Ending, ...Ending[]]
      readonly usage: AnswerUsage
      readonly timings: Timings
    }

interface NativeToken {
  readonly token: string
  readonly id: number
  readonly logprob: number
}

/** A sampled token as the native routes report it. */
export interface NativeLogprob extends NativeToken {
  readonly top: readonly NativeToken[]
}

/** One choice of a whole answer of the native routes. */
export interface ChoiceAnswer {
  readonly output: string
  /** What the model thought before it, if anything. */
  readonly reasoning?: string
  readonly finish_reason: FinishReason
  /** When asked for, one per token of `output`. */
  readonly logprobs?: readonly NativeLogprob[]
}

/** Body of a complete (not streamed) answer. With several choices it is the first one, and `outputs` holds them all. */
export interface GenerateAnswer extends ChoiceAnswer {
  readonly outputs?: readonly ChoiceAnswer[]
  readonly usage: AnswerUsage
  readonly timings: Timings
  readonly request_id: string
}
