import type { AnswerFormat } from '../../../shared/api/request/response-format.ts'
import type { Sampling } from '../../../shared/api/request/sampling-fields.ts'
import type { NormalizedPrompt } from '../../processor/create-normalizer.ts'
import type { ContentPart } from '../../processor/processor.ts'
import { dialects } from './dialect.ts'
import type { EngineFacts, EngineKind } from '../engine/engine-facts.ts'

/** An answer to ask an engine for. */
export interface WireAsk {
  readonly prompt: Pick<NormalizedPrompt, 'messages' | 'pictures'>
  readonly sampling: Sampling
  readonly stop: readonly string[]
  readonly choices: number
  readonly topLogprobs: number | undefined
  readonly format?: AnswerFormat | undefined
  /** Of each choice. */
  readonly maxTokens: number
  /** Stands for the tenant in the engine's caches. */
  readonly salt: string
  /** For an engine that would otherwise give all requests the same seed. */
  readonly randomSeed: () => number
}

/** llama-server's seeds have 32 bits, the largest of which means a random one. */
const llamaSeeds = 2 ** 32 - 1

/** The body of `POST /v1/chat/completions` for an engine. Pictures travel in it: an engine is never given a URL. */
export function wireBody(ask: WireAsk, facts: EngineFacts): string {
  const { kind, model } = facts
  const { prompt, stop, choices, maxTokens, topLogprobs, salt, format } = ask
  const dialect = dialects[kind]
  const sampling = greedyApart(ask.sampling, choices, kind !== 'other')
  return JSON.stringify({
    model,
    messages: wireMessages(prompt),
    stream: true,
    stream_options: {
      include_usage: true,
      ...(dialect.countsAsItGoes && { continuous_usage_stats: true }),
    },
    max_tokens: maxTokens,
    n: choices,
    temperature: sampling.temperature,
    top_p: sampling.topP ?? 1,
    presence_penalty: sampling.presencePenalty ?? 0,
    frequency_penalty: sampling.frequencyPenalty ?? 0,
    ...ruleFields(dialect.rules, sampling),
    ...seedOf(ask, facts),
    ...(sampling.logitBias?.length && { logit_bias: Object.fromEntries(sampling.logitBias) }),
    ...(stop.length > 0 && { stop }),
    ...(topLogprobs !== undefined && logprobFields(topLogprobs, kind === 'vllm')),
    ...(format !== undefined && { response_format: wireFormat(format) }),
    ...dialect.isolation(salt),
  })
}

function ruleFields(rules: (typeof dialects)[EngineKind]['rules'], sampling: Sampling): object {
  return Object.fromEntries(Object.values(rules).flatMap((rule) => Object.entries(rule(sampling))))
}

/**
 * vLLM refuses several choices of the most likely tokens, which are a way to ask for the same answer several times.
 * The most likely of one token is the same, and is not refused.
 */
function greedyApart(sampling: Sampling, choices: number, hasTopK: boolean): Sampling {
  if (sampling.temperature > 0 || choices === 1 || !hasTopK) return sampling
  return { ...sampling, temperature: 1, topK: 1, topP: 1, minP: 0 }
}

function seedOf({ sampling: { seed }, randomSeed }: WireAsk, { kind, keepsSeeds }: EngineFacts) {
  if (kind === 'llama-server') return seed === undefined ? {} : { seed: seed % llamaSeeds }
  // Where it honours seeds, SGLang gives the same one to all requests without a seed.
  if (kind === 'sglang' && keepsSeeds) return { seed: seed ?? randomSeed() }
  return seed === undefined ? {} : { seed }
}

function logprobFields(top: number, byId: boolean) {
  return {
    logprobs: true,
    // llama-server takes none for no log probabilities at all.
    top_logprobs: Math.max(1, top),
    ...(byId && { return_tokens_as_token_ids: true }),
  }
}

function wireFormat(format: AnswerFormat): object {
  switch (format.type) {
    case 'json_object':
      return { type: 'json_object' }
    case 'json_schema':
      return {
        type: 'json_schema',
        json_schema: { name: 'answer', schema: JSON.parse(format.schema) as unknown, strict: true },
      }
  }
}

function wireMessages({ messages, pictures }: WireAsk['prompt']): object[] {
  let next = 0
  const partOf = (part: ContentPart) => {
    if (part.type === 'text') return part
    const png = Buffer.from(pictures[next++]!).toString('base64')
    return { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } }
  }
  return messages.map(({ role, content }) => {
    const [first] = content
    if (content.length === 1 && first?.type === 'text') return { role, content: first.text }
    return { role, content: content.map(partOf) }
  })
}
