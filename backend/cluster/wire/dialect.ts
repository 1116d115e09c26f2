import { changedRules, type Sampling } from '../../../shared/api/request/sampling-fields.ts'
import type { Asked } from '../../../shared/conversation/conversation.ts'
import type { WireToken } from './chunk.ts'
import type { EngineFacts, EngineKind } from '../engine/engine-facts.ts'

/** What of a request an engine may lack. */
export type Demands = Pick<Asked, 'sampling' | 'choices' | 'topLogprobs'>

interface Dialect {
  /**
   * The rules that it has beyond OpenAI's, by their public names, each with what is sent for it. All are sent, because an
   * engine's own defaults differ from ours. Any other rule is refused where it would matter.
   */
  readonly rules: Readonly<Record<string, (sampling: Sampling) => Readonly<Record<string, number>>>>
  /**
   * Fields that separate tenants' cached prompts, so that nobody can infer from response times what others have sent.
   */
  readonly isolation: (salt: string) => object
  /** Whether it can count tokens as they come. */
  readonly countsAsItGoes: boolean
  /** How a token is named in log probabilities, which are refused where its id cannot be known. */
  readonly tokenId: ((token: WireToken) => number | undefined) | undefined
}

/** Rules of OpenAI's own API, which every engine has. */
const commonRules = new Set([
  'temperature',
  'top_p',
  'presence_penalty',
  'frequency_penalty',
  'logit_bias',
  'seed',
])

const minP = ({ minP: share = 0 }: Sampling) => ({ min_p: share })

/** As vLLM and SGLang spell them; -1 turns `top_k` off. */
const extended: Dialect['rules'] = {
  top_k: ({ topK = 0 }) => ({ top_k: topK === 0 ? -1 : topK }),
  min_p: minP,
  repetition_penalty: ({ repetitionPenalty = 1 }) => ({ repetition_penalty: repetitionPenalty }),
}

/** Engines by their API, as of vLLM 0.32, SGLang 0.5 and llama-server of November 2026. */
export const dialects: Readonly<Record<EngineKind, Dialect>> = {
  vllm: {
    rules: extended,
    isolation: (salt) => ({ cache_salt: salt }),
    countsAsItGoes: true,
    tokenId: ({ token }) => {
      const id = /^token_id:(\d{1,9})$/.exec(token)?.[1]
      return id === undefined ? undefined : Number(id)
    },
  },
  sglang: {
    rules: extended,
    isolation: (salt) => ({ cache_salt: salt }),
    countsAsItGoes: true,
    // It names tokens by their text, which is lost where a token is part of a character.
    tokenId: undefined,
  },
  'llama-server': {
    rules: {
      top_k: ({ topK = 0 }) => ({ top_k: topK }),
      min_p: minP,
      // For the whole context, as ours; its own default is the last 64 tokens.
      repetition_penalty: ({ repetitionPenalty = 1 }) => ({
        repeat_penalty: repetitionPenalty,
        repeat_last_n: -1,
      }),
    },
    // It has one cache for everybody.
    isolation: () => ({ cache_prompt: false }),
    countsAsItGoes: false,
    tokenId: ({ id }) => id,
  },
  other: {
    rules: {},
    isolation: () => ({}),
    countsAsItGoes: false,
    tokenId: undefined,
  },
}

/** @returns the public name of the first field that the engine cannot do; undefined when it can do all */
export function lackOf(
  { kind, keepsSeeds }: Pick<EngineFacts, 'kind' | 'keepsSeeds'>,
  demands: Demands,
): string | undefined {
  const { sampling, choices, topLogprobs } = demands
  const { rules, tokenId } = dialects[kind]
  // The most likely tokens are the same for every seed.
  const isDrawn = sampling.temperature > 0
  if (sampling.seed !== undefined && isDrawn && !keepsSeeds) return 'seed'
  // Where it honours seeds, SGLang gives all choices the same one.
  if (kind === 'sglang' && keepsSeeds && choices > 1 && isDrawn) return 'n'
  const lacked = changedRules(sampling).find(
    (rule) => !commonRules.has(rule) && !Object.hasOwn(rules, rule),
  )
  if (lacked !== undefined) return lacked
  return topLogprobs !== undefined && tokenId === undefined ? 'logprobs' : undefined
}
