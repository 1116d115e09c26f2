import type { FinishReason } from '../../../shared/api/events.ts'

export type StandInKind = 'vllm' | 'sglang' | 'llama-server' | 'other'

type Part =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image_url'; readonly image_url: { readonly url: string } }

/** A request as engines get it. */
export interface ChatBody {
  readonly model: string
  readonly messages: readonly {
    readonly role: 'system' | 'user' | 'assistant'
    readonly content: string | readonly Part[]
  }[]
  readonly stream: boolean
  readonly stream_options?: {
    readonly include_usage?: boolean
    readonly continuous_usage_stats?: boolean
  }
  readonly max_tokens: number
  readonly n: number
  readonly temperature: number
  readonly top_p: number
  readonly top_k?: number
  readonly min_p?: number
  readonly repetition_penalty?: number
  readonly repeat_penalty?: number
  readonly presence_penalty?: number
  readonly frequency_penalty?: number
  readonly logit_bias?: Readonly<Record<string, number>>
  readonly seed?: number
  readonly stop?: readonly string[]
  readonly logprobs?: boolean
  readonly top_logprobs?: number
  readonly response_format?: {
    readonly type: 'json_object' | 'json_schema'
    readonly json_schema?: { readonly schema: unknown }
  }
  readonly cache_salt?: string
  readonly cache_prompt?: boolean
}

interface StandInToken {
  readonly id: number
  readonly logprob: number
}

/** What a stand-in says, before it has its engine's form. */
export type StandInEvent =
  | {
      readonly type: 'text'
      readonly choice: number
      /** What the engine keeps apart from the text. */
      readonly thought?: string
      readonly text: string
      /** Tokens of the choice so far. */
      readonly tokens: number
      readonly logprobs?: readonly (StandInToken & { readonly top: readonly StandInToken[] })[]
    }
  | {
      readonly type: 'end'
      readonly endings: readonly {
        readonly reason: FinishReason
        readonly stopText?: string | undefined
      }[]
      readonly promptTokens: number
      readonly cachedTokens: number
      /** Of all choices. */
      readonly completionTokens: number
      /** How many of them are thoughts, where the engine counts that. */
      readonly thoughtTokens?: number
    }

export type AnswerSource = (body: ChatBody, signal: AbortSignal) => AsyncIterable<StandInEvent>
