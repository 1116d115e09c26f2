import * as z from 'zod'
import { atMost } from './at-most.ts'
import { maxChoices, maxLogitBiases, maxStopChars, maxStops, maxTopLogprobs } from '../limits.ts'

/** Half of a surrogate pair would let a stop string cut a character in two. */
const stopText = z
  .string()
  .min(1)
  .max(maxStopChars)
  .refine((text) => !/\p{Surrogate}/u.test(text), {
    error: 'expected whole characters, not half of a surrogate pair',
  })

/** Token id -> value added to its logit. */
const logitBias = atMost(maxLogitBiases, `at most ${maxLogitBiases} token ids are allowed`).pipe(
  z.record(z.string().regex(/^(0|[1-9]\d{0,8})$/), z.number().min(-100).max(100)),
)

/** The rules by which tokens are drawn. A rule added here reaches the sampler without further code. */
export const samplingRules = {
  /** Divides the logits; 0 always takes the most likely token. */
  temperature: z.number().min(0).max(2).default(0.7),
  /** Keeps the smallest set of most likely tokens whose probabilities add up to this. */
  top_p: z.number().gt(0).max(1).default(0.9),
  /** Keeps this many of the most likely tokens; 0 turns it off. */
  top_k: z.int().min(0).default(0),
  /** Keeps tokens at least this fraction as likely as the most likely one. */
  min_p: z.number().min(0).max(1).default(0),
  /** For tokens of the prompt or the answer, divides positive logits and multiplies negative ones. */
  repetition_penalty: z.number().gt(0).max(2).default(1),
  /** Subtracted from the logits of tokens that occur in the answer. */
  presence_penalty: z.number().min(-2).max(2).default(0),
  /** Subtracted once for each occurrence of the token in the answer. */
  frequency_penalty: z.number().min(-2).max(2).default(0),
  logit_bias: logitBias.optional(),
  /** Negative ones are seeds of their own. */
  seed: z.int().optional(),
}

/** Fields of every generating request: how the answer is drawn, and what is reported about it. */
export const samplingFields = {
  ...samplingRules,
  /** Where the rules that a request leaves out come from: this server's defaults, or the model's authors. */
  preset: z.enum(['server', 'model']).default('server'),
  n: z.int().min(1).max(maxChoices).default(1),
  stop: z
    .preprocess(
      (value) => (typeof value === 'string' ? [value] : value),
      z.array(stopText).max(maxStops),
    )
    .meta({ alsoText: true })
    .default([]),
  logprobs: z.boolean().default(false),
  top_logprobs: z.int().min(0).max(maxTopLogprobs).optional(),
}

type Rules = z.infer<z.ZodObject<typeof samplingRules>>

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name

/** The rules under their names in code, `top_p` as `topP`; an absent rule does not apply. */
export type Sampling = Partial<{
  readonly [Name in keyof Omit<Rules, 'logit_bias'> as CamelCase<Name>]: Rules[Name] | undefined
}> & {
  readonly temperature: number
  /** Added to the logits of single tokens. */
  readonly logitBias?: readonly (readonly [id: number, bias: number])[] | undefined
}

/** The rules of a request, for its sampler. Other fields are left out. */
export function samplingOf({ logit_bias: biases = {}, ...fields }: Rules): Sampling {
  const rules = Object.entries(fields).filter(([name]) => Object.hasOwn(samplingRules, name))
  return {
    ...(Object.fromEntries(rules.map(([name, value]) => [camelCase(name), value])) as Sampling),
    logitBias: Object.entries(biases).map(([id, bias]) => [Number(id), bias]),
  }
}

/** The rules that differ from their defaults, by the names of the request's fields. */
export function changedRules(sampling: Sampling): string[] {
  const values: Readonly<Record<string, unknown>> = sampling
  return Object.entries(samplingRules).flatMap(([name, schema]) => {
    const value = values[camelCase(name)]
    return value === undefined || value === schema.parse(undefined) ? [] : [name]
  })
}

function camelCase(name: string): string {
  return name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}

/** Without `logprobs` there is nowhere to report alternatives. */
export const topLogprobsNeedLogprobs = z.refine<{
  logprobs: boolean
  top_logprobs?: number | undefined
}>((fields) => fields.logprobs || fields.top_logprobs === undefined, {
  path: ['top_logprobs'],
  error: 'needs logprobs',
})
