import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import type { PreprocessorConfig } from '../../model/config/preprocessor-config.ts'
import type { Model } from '../../model/model.ts'
import { prepareImage } from '../../processor/prepare-image.ts'
import { follow, likeliest, logProbabilities } from './follow-answer.ts'

/** Answers of another implementation, token by token. Pictures lie in `images/` beside the file. */
const referenceSchema = z
  .array(
    z.object({
      id: z.string(),
      images: z.array(z.string().regex(/^[^/\\]+$/)),
      prompt_ids: z.array(z.int().min(0)).min(1),
      greedy_ids: z.array(z.int().min(0)).min(1),
      /** Natural log-probability of each of `greedy_ids`. */
      logprobs: z.array(z.number()),
    }),
  )
  .min(1)
type ReferenceCase = z.infer<typeof referenceSchema>[number]

export interface AnswerComparison {
  readonly cases: number
  readonly tokens: number
  /** Tokens that are the likeliest here, too. */
  readonly agreeing: number
  /** Cases of which a token is not. */
  readonly differing: readonly string[]
  /** Mean over all tokens of |ln p here - ln p there|. */
  readonly meanDifference: number
}

/** @throws {CheckpointError} when the file is missing or malformed */
async function readReference(file: string): Promise<readonly ReferenceCase[]> {
  try {
    return referenceSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (cause) {
    throw new CheckpointError(`${file} is missing, or holds no answers to compare with`, { cause })
  }
}

/** Follows each of the reference's answers. */
export async function compareAnswers(
  model: Model,
  file: string,
  preprocessor: PreprocessorConfig,
): Promise<AnswerComparison> {
  const cases = await readReference(file)
  let [tokens, agreeing, sum] = [0, 0, 0]
  const differing: string[] = []
  for (const { id: name, images, prompt_ids: promptIds, greedy_ids: ids, logprobs } of cases) {
    const files = images.map((image) => join(dirname(file), 'images', image))
    const prepared = await Promise.all(
      files.map(async (image) => prepareImage(await readFile(image), preprocessor)),
    )
    const before = tokens - agreeing
    const prompt = { name, promptIds, images: prepared }
    let i = 0
    for await (const logits of follow(model, prompt, ids.slice(0, -1))) {
      if (likeliest(logits) === ids[i]) agreeing += 1
      sum += Math.abs(logProbabilities(logits)[ids[i]!]! - (logprobs[i] ?? NaN))
      tokens += 1
      i += 1
    }
    if (tokens - agreeing > before) differing.push(name)
  }
  return { cases: cases.length, tokens, agreeing, differing, meanDifference: sum / tokens }
}
