import type { Model, PatchImage } from '../../backend/model/model.ts'

/** Features of an image, processed in pieces of this much work; as a whole by default. */
export async function lookAt(
  model: Pick<Model, 'beginImage'>,
  image: PatchImage,
  work = Infinity,
): Promise<Float32Array> {
  const run = model.beginImage(image)
  while (run.features === undefined) await run.advance(work)
  return run.features
}
