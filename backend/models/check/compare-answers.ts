import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import type { PreprocessorConfig } from '../../model/config/preprocessor-config.ts'
import type { ModelSource } from '../../model/convert/source/model-source.ts'
import { componentForms, type FormChoice } from '../../model/convert/graphs/weight-forms.ts'
import {
  streamLogits,
  type PicturedText,
  type StreamOptions,
} from '../../model/streamed/stream-logits.ts'
import { prepareImage } from '../../processor/image/prepare-image.ts'
import { LogitSums } from './logit-sums.ts'

/** Answers of another implementation, token by token. Pictures are in `images/` beside the file. */
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

/** Follows each of the reference's answers with a form of a checkpoint. */
export async function compareAnswers(
  source: ModelSource,
  file: string,
  choice: FormChoice,
  options: StreamOptions,
): Promise<AnswerComparison> {
  const cases = await readReference(file)
  const texts: PicturedText[] = []
  for (const each of cases) texts.push(await textOf(each, file, source.preprocessor))
  const answers = cases.flatMap(({ greedy_ids: ids, logprobs, id: name }) =>
    ids.map((id, i) => ({ name, id, expected: logprobs[i] ?? NaN, sums: new LogitSums() })),
  )
  const logitOf = new Float64Array(answers.length)
  const forms = [componentForms(choice)]
  for await (const { firstId, count, logits } of streamLogits(source, texts, forms, options)) {
    answers.forEach(({ id, sums }, i) => {
      const row = logits[0]!.subarray(i * count, (i + 1) * count)
      sums.add(firstId, row)
      if (id >= firstId && id < firstId + count) logitOf[i] = row[id - firstId]!
    })
  }
  const wrong = answers.filter(({ id, sums }) => sums.bestId !== id)
  const difference = answers.reduce(
    (sum, { sums, expected }, i) => sum + Math.abs(logitOf[i]! - sums.logOfSum - expected),
    0,
  )
  return {
    cases: cases.length,
    tokens: answers.length,
    agreeing: answers.length - wrong.length,
    differing: [...new Set(wrong.map(({ name }) => name))],
    meanDifference: difference / answers.length,
  }
}

async function textOf(
  { images, prompt_ids: promptIds, greedy_ids: answerIds }: ReferenceCase,
  file: string,
  preprocessor: PreprocessorConfig,
): Promise<PicturedText> {
  const files = images.map((image) => join(dirname(file), 'images', image))
  const prepared = await Promise.all(
    files.map(async (image) => prepareImage(await readFile(image), preprocessor)),
  )
  return { promptIds, answerIds, images: prepared }
}
