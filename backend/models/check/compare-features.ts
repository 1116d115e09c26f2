import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import type { PreprocessorConfig } from '../../model/config/preprocessor-config.ts'
import type { ModelSource } from '../../model/convert/source/model-source.ts'
import { componentForms, type FormChoice } from '../../model/convert/graphs/weight-forms.ts'
import type { PatchImage } from '../../model/model.ts'
import type { StreamOptions } from '../../model/streamed/stream-logits.ts'
import { streamVision } from '../../model/streamed/stream-vision.ts'
import { planImage } from '../../processor/image/image-size.ts'
import { patchify } from '../../processor/image/patchify.ts'
import { resizeBicubic } from '../../processor/image/resize-bicubic.ts'

/** An image, and another implementation's features for it: a row for each token. */
const referenceSchema = z.object({
  image: z.object({
    w: z.int().min(1),
    h: z.int().min(1),
    /** Base64 of interleaved bytes, row by row. */
    rgb: z.base64(),
    embd: z.array(z.number()).min(1),
  }),
})
type ReferenceImage = z.infer<typeof referenceSchema>['image']

/**
 * Distance of features from the reference's: the length of the difference, relative to the length of the reference's.
 */
export interface FeatureComparison {
  readonly tokens: number
  readonly exact: number
  /** In the form that is served. */
  readonly served: number
}

/** @throws {CheckpointError} when the file is missing or malformed, or is of a model with other sizes */
export async function compareFeatures(
  source: ModelSource,
  file: string,
  choice: FormChoice,
  { balance, onProgress, signal }: StreamOptions,
): Promise<FeatureComparison> {
  const reference = await readReference(file)
  const images = [patchesOf(reference, source.preprocessor)]
  const options = { threads: availableParallelism(), onProgress, signal }
  const forms = [{ kind: 'f32' } as const, componentForms(choice).vision]
  const [exact, served] = await streamVision(source, balance, forms, images, options)
  const { hidden_size: width } = source.config.text_config
  const [features] = exact!
  if (features!.length !== reference.embd.length) {
    const [here, there] = [features!.length / width, reference.embd.length / width]
    throw new CheckpointError(`${file} has ${there} rows of features, this model makes ${here}`)
  }
  return {
    tokens: features!.length / width,
    exact: relativeDistance(features!, reference.embd),
    served: relativeDistance(served![0]!, reference.embd),
  }
}

async function readReference(file: string): Promise<ReferenceImage> {
  try {
    return referenceSchema.parse(JSON.parse(await readFile(file, 'utf8'))).image
  } catch (cause) {
    throw new CheckpointError(`${file} is missing, or holds no image with its features`, { cause })
  }
}

function patchesOf({ w, h, rgb }: ReferenceImage, config: PreprocessorConfig): PatchImage {
  const size = { width: w, height: h }
  const plan = planImage(size, config)
  const pixels = resizeBicubic({ ...size, rgb: Buffer.from(rgb, 'base64') }, plan.resized)
  return patchify(pixels, plan, config.patchSize)
}

function relativeDistance(values: Float32Array, expected: readonly number[]): number {
  let [difference, length] = [0, 0]
  expected.forEach((value, i) => {
    difference += (values[i]! - value) ** 2
    length += value ** 2
  })
  return Math.sqrt(difference / length)
}
