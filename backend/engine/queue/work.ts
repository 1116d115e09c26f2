import type { GenerateJob } from '../job.ts'

/**
 * Work is counted in prompt tokens: 1 is the cost of reading one. A sampled token reads all weights for itself;
 * measured at full size on two cores, four sequences at a time: 60 prompt tokens a second, 16 sampled ones.
 */
export const workPerSampledToken = 4

/**
 * An image costs the vision tower about as much as its placeholders cost the decoder: 2.3 s for 1,024 patches, 4 per
 * token.
 */
export const workPerImageToken = 1

/**
 * Work per token of `max_tokens` before the answer is known: most answers end long before it, so it is a quarter of
 * what the tokens would cost.
 */
const workPerAllowedToken = 1

/** What a job is made of, in tokens. */
interface JobTokens {
  /** Of the whole prompt, images included. */
  readonly promptTokens: number
  readonly imageTokens: number
  /** The most tokens of all its answers together. */
  readonly answerTokens: number
}

/** The expected work of a job, in prompt tokens. */
export function expectedWork({ promptTokens, imageTokens, answerTokens }: JobTokens): number {
  return promptTokens + workPerImageToken * imageTokens + workPerAllowedToken * answerTokens
}

/**
 * The same for a job of the engine.
 * @param answerTokens the most tokens of all its answers together
 * @param mergeSize patches along each side of an image token
 */
export function estimateWork(
  { promptIds, images }: Pick<GenerateJob, 'promptIds' | 'images'>,
  answerTokens: number,
  mergeSize: number,
): number {
  const patches = images.reduce((sum, { gridHw: [rows, columns] }) => sum + rows * columns, 0)
  const imageTokens = patches / mergeSize ** 2
  return expectedWork({ promptTokens: promptIds.length, imageTokens, answerTokens })
}
