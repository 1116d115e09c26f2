import { DeviceFeatures } from '../../../backend/model/accelerator/feature-memory.ts'
import { hostFeatures } from '../../../backend/model/host-features.ts'
import type { ImageFeatures, Model, PatchImage } from '../../../backend/model/model.ts'

/** Features of an image, processed in pieces of this much work; as a whole by default. */
export async function featuresOf(
  model: Pick<Model, 'beginImage'>,
  image: PatchImage,
  work = Infinity,
): Promise<ImageFeatures> {
  const run = model.beginImage(image)
  while (run.features === undefined) await run.advance(work)
  return run.features
}

/** The same, as numbers. */
export async function lookAt(
  model: Pick<Model, 'beginImage'>,
  image: PatchImage,
  work = Infinity,
): Promise<Float32Array> {
  return valuesOf(await featuresOf(model, image, work))
}

/** Features wherever they are, as numbers. */
export function valuesOf(features: ImageFeatures): Promise<Float32Array> {
  if (features instanceof DeviceFeatures) return features.read()
  return Promise.resolve(hostFeatures(features))
}
