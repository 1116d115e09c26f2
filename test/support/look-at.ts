import type { Model, PatchImage } from '../../backend/model/model.ts'

/** Features of an image, looked at in pieces of so much work; whole unless given. */
export async function lookAt(
  model: Pick<Model, 'beginImage'>,
  image: PatchImage,
  work = Infinity,
): Promise<Float32Array> {
  const run = model.beginImage(image)
  while (run.features === undefined) await run.advance(work)
  return run.features
}
