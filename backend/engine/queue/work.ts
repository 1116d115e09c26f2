import type { GenerateJob } from '../job.ts'

/**
 * Work is counted in prompt tokens: 1 is what reading one costs. A sampled token reads the weights once more for itself;
 * measured at full size on two cores, four sequences at a time: 60 prompt tokens a second, 16 sampled ones.
 */
export const workPerSampledToken = 4

/** An image costs the vision tower about what its placeholders cost the decoder: 2.3 s for 1,024 patches, 4 a token. */
export const workPerImageToken = 1

/**
 * What `max_tokens` counts for before the answer is known: most answers end long before it, so a quarter of what the
 * tokens would cost.
 */
const workPerAllowedToken = 1

/**
 * The work a job is expected to be, in prompt tokens.
 * @param answerTokens most tokens of all its answers together
 * @param mergeSize patches along each side of an image token
 */
export function estimateWork(
  { promptIds, images }: Pick<GenerateJob, 'promptIds' | 'images'>,
  answerTokens: number,
  mergeSize: number,
): number {
  const patches = images.reduce((sum, { gridHw: [rows, columns] }) => sum + rows * columns, 0)
  const imageWork = (workPerImageToken * patches) / mergeSize ** 2
  return promptIds.length + imageWork + workPerAllowedToken * answerTokens
}
