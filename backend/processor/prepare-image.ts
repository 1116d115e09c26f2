import type { PatchImage } from '../model/model.ts'
import type { PreprocessorConfig } from '../model/config/preprocessor-config.ts'
import { decodeImage, readImageHeader } from './decode-image.ts'
import { planImage } from './image-size.ts'
import { patchify } from './patchify.ts'
import { resizeBicubic } from './resize-bicubic.ts'

/**
 * One whole image file to the patches the model sees. Everything that can be refused by the header is, before a
 * pixel is decoded.
 * @throws {ImageProblem}
 */
export async function prepareImage(
  file: Uint8Array,
  config: PreprocessorConfig,
): Promise<PatchImage> {
  const header = await readImageHeader(file)
  const plan = planImage(header.size, config)
  const image = await decodeImage(header)
  return patchify(resizeBicubic(image, plan.resized), plan, config.patchSize)
}
