import * as z from 'zod'
import { maxChoices, maxLogitBiases, maxStopChars, maxStops, maxTopLogprobs } from './limits.ts'

/** Half of a surrogate pair would let a stop string cut a character in two. */
const stopText = z
  .string()
  .min(1)
  .max(maxStopChars)
  .refine((text) => !/\p{Surrogate}/u.test(text), { error: 'half a character is no text' })

/** Token id -> what is added to its logit. */
const logitBias = z
  .record(z.string().regex(/^(0|[1-9]\d{0,8})$/), z.number().min(-100).max(100))
  .refine((biases) => Object.keys(biases).length <= maxLogitBiases, {
    error: `at most ${maxLogitBiases} token ids are allowed`,
  })

/** How the answer is drawn, and what is told about it: fields of every request that generates. */
export const samplingFields = {
  /** 0 is greedy. */
  temperature: z.number().min(0).max(2).default(0.7),
  top_p: z.number().gt(0).max(1).default(0.9),
  /** 0 is off. */
  top_k: z.int().min(0).default(0),
  min_p: z.number().min(0).max(1).default(0),
  repetition_penalty: z.number().gt(0).max(2).default(1),
  presence_penalty: z.number().min(-2).max(2).default(0),
  frequency_penalty: z.number().min(-2).max(2).default(0),
  logit_bias: logitBias.optional(),
  seed: z.int().min(0).optional(),
  n: z.int().min(1).max(maxChoices).default(1),
  stop: z
    .preprocess(
      (value) => (typeof value === 'string' ? [value] : value),
      z.array(stopText).max(maxStops),
    )
    .default([]),
  logprobs: z.boolean().default(false),
  top_logprobs: z.int().min(0).max(maxTopLogprobs).optional(),
}

/** Without `logprobs` there is nowhere to tell alternatives. */
export const topLogprobsNeedLogprobs = z.refine<{
  logprobs: boolean
  top_logprobs?: number | undefined
}>((fields) => fields.logprobs || fields.top_logprobs === undefined, {
  path: ['top_logprobs'],
  error: 'needs logprobs',
})
