/** Why a generation ended: the model's own stop token, or a token limit (`max_tokens` or the context). */
export type FinishReason = 'stop' | 'length'

export interface Usage {
  /** All prompt tokens, image tokens included. */
  readonly prompt_tokens: number
  readonly image_tokens: number
  readonly completion_tokens: number
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

/** The one stream every answer is rendered from. A failure is thrown as ServiceError, never an event. */
export type GenerationEvent =
  | { readonly type: 'queued'; readonly position: number }
  | { readonly type: 'delta'; readonly text: string }
  | {
      readonly type: 'end'
      readonly finishReason: FinishReason
      readonly usage: Usage
      readonly timings: Timings
    }

/** Body of a whole (not streamed) answer. */
export interface GenerateAnswer {
  readonly output: string
  readonly finish_reason: FinishReason
  readonly usage: Usage
  readonly timings: Timings
  readonly request_id: string
}
