import * as z from 'zod'
import { EngineProblem } from '../engine/engine-problem.ts'

const count = z.int().min(0)

const usage = z.object({
  prompt_tokens: count,
  completion_tokens: count,
  prompt_tokens_details: z
    .object({ cached_tokens: count.nullish(), image_tokens: count.nullish() })
    .nullish(),
  completion_tokens_details: z.object({ reasoning_tokens: count.nullish() }).nullish(),
  /** SGLang's place for the same. */
  reasoning_tokens: count.nullish(),
})
export type WireUsage = z.infer<typeof usage>

const tokenLogprob = z.object({
  token: z.string(),
  logprob: z.number(),
  /** llama-server alone says it. */
  id: count.optional(),
})
export type WireToken = z.infer<typeof tokenLogprob>

const sampledLogprob = tokenLogprob.extend({
  top_logprobs: z.array(tokenLogprob).nullish(),
})
export type WireLogprob = z.infer<typeof sampledLogprob>

const matched = z.union([z.string(), z.number()]).nullish()

const choice = z.object({
  index: count,
  delta: z
    .object({
      content: z.string().nullish(),
      /** What a model thinks before it answers, if the engine separates it. */
      reasoning: z.string().nullish(),
      reasoning_content: z.string().nullish(),
    })
    .nullish(),
  logprobs: z.object({ content: z.array(sampledLogprob).nullish() }).nullish(),
  finish_reason: z.string().nullish(),
  /** What ended it: a stop text, or the id of a stop token. vLLM's name, and SGLang's. */
  stop_reason: matched,
  matched_stop: matched,
})
export type WireChoice = z.infer<typeof choice>

const chunk = z.object({
  model: z.string().nullish(),
  choices: z.array(choice),
  usage: usage.nullish(),
})
export type WireChunk = z.infer<typeof chunk>

/** A failure that comes after the status 200: a field in a chunk, or SGLang's and older engines' object. */
const failure = z.union([
  z.object({ error: z.unknown().refine((error) => error != null) }),
  z.object({ object: z.literal('error') }),
])

/** @throws {EngineProblem} `broken`: no JSON, no chunk, or an error */
export function parseChunk(data: string): WireChunk {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    throw new EngineProblem('broken', 'an event that is not JSON')
  }
  if (failure.safeParse(value).success) {
    throw new EngineProblem('broken', 'an error after status 200')
  }
  const parsed = chunk.safeParse(value)
  if (parsed.success) return parsed.data
  const where = parsed.error.issues[0]?.path.map(String).join('.').slice(0, 80)
  throw new EngineProblem('broken', `a chunk that is not valid at ${where}`)
}
