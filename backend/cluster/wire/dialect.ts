import type { Sampling } from '../../../shared/api/request/sampling-fields.ts'
import type { Asked } from '../../../shared/conversation/conversation.ts'
import type { WireToken } from './chunk.ts'
import type { EngineFacts, EngineKind } from '../engine/engine-facts.ts'

/** What of a request an engine may lack. */
export type Demands = Pick<Asked, 'sampling' | 'choices' | 'topLogprobs'>

interface Dialect {
  /** Fields of the request, by their public names, that it has nothing for. They are refused where they would matter. */
  readonly lacks: readonly string[]
  /** Fields beyond OpenAI's. All are sent, because an engine's own defaults differ from ours. */
  readonly fields: (sampling: Sampling) => object
  /** Fields that keep tenants' cached prompts apart, so that nobody learns by its speed what others have sent. */
  readonly isolation: (salt: string) => object
  /** Whether it can count tokens as they come. */
  readonly countsAsItGoes: boolean
  /** How a token is named in log probabilities; undefined where its id cannot be known. */
  readonly tokenId: ((token: WireToken) => number | undefined) | undefined
}

/** `top_k` and others as vLLM and SGLang spell them; -1 turns `top_k` off. */
const extended = ({ topK = 0, minP = 0, repetitionPenalty = 1 }: Sampling) => ({
  top_k: topK === 0 ? -1 : topK,
  min_p: minP,
  repetition_penalty: repetitionPenalty,
})

/** Engines by their API, as of vLLM 0.32, SGLang 0.5 and llama-server of November 2026. */
export const dialects: Readonly<Record<EngineKind, Dialect>> = {
  vllm: {
    lacks: [],
    fields: extended,
    isolation: (salt) => ({ cache_salt: salt }),
    countsAsItGoes: true,
    tokenId: ({ token }) => {
      const id = /^token_id:(\d{1,9})$/.exec(token)?.[1]
      return id === undefined ? undefined : Number(id)
    },
  },
  sglang: {
    // It names tokens by their text, which of a part of a character is lost.
    lacks: ['logprobs'],
    fields: extended,
    isolation: (salt) => ({ cache_salt: salt }),
    countsAsItGoes: true,
    tokenId: undefined,
  },
  'llama-server': {
    lacks: [],
    fields: ({ topK = 0, minP = 0, repetitionPenalty = 1 }) => ({
      top_k: topK,
      min_p: minP,
      repeat_penalty: repetitionPenalty,
      // Of the whole context, as ours; its own default is the last 64 tokens.
      repeat_last_n: -1,
    }),
    // It has one cache for everybody.
    isolation: () => ({ cache_prompt: false }),
    countsAsItGoes: false,
    tokenId: ({ id }) => id,
  },
  other: {
    lacks: ['top_k', 'min_p', 'repetition_penalty', 'logprobs'],
    fields: () => ({}),
    isolation: () => ({}),
    countsAsItGoes: false,
    tokenId: undefined,
  },
}

/** Whether a field of the request has an effect. */
const matters: Readonly<Record<string, (demands: Demands) => boolean>> = {
  top_k: ({ sampling }) => (sampling.topK ?? 0) > 0,
  min_p: ({ sampling }) => (sampling.minP ?? 0) > 0,
  repetition_penalty: ({ sampling }) => (sampling.repetitionPenalty ?? 1) !== 1,
  logprobs: ({ topLogprobs }) => topLogprobs !== undefined,
}

/** @returns the public name of the first field that the engine cannot do; undefined when it can do all */
export function lackOf(
  { kind, keepsSeeds }: Pick<EngineFacts, 'kind' | 'keepsSeeds'>,
  demands: Demands,
): string | undefined {
  const { sampling, choices } = demands
  // The most likely tokens are the same for every seed.
  const isDrawn = sampling.temperature > 0
  if (sampling.seed !== undefined && isDrawn && !keepsSeeds) return 'seed'
  // SGLang gives all choices the same seed, where it keeps seeds.
  if (kind === 'sglang' && keepsSeeds && choices > 1 && isDrawn) return 'n'
  return dialects[kind].lacks.find((field) => matters[field]!(demands))
}
