import type { PatchImage } from '../../model/model.ts'
import type { PreprocessorConfig } from '../../model/config/preprocessor-config.ts'
import { decodeImage, readImageHeader } from './decode-image.ts'
import { planImage } from './image-size.ts'
import { patchify } from './patchify.ts'
import { resizeBicubic } from './resize-bicubic.ts'

/**
 * Turns one whole image file into the patches the model sees. Whatever the header already disqualifies is rejected
 * before a pixel is decoded.
 * @param mostTokens that it may take, where that is less than the model's own limit
 * @throws {ImageProblem}
 */
export async function prepareImage(
  file: Uint8Array,
  config: PreprocessorConfig,
  mostTokens = Infinity,
): Promise<PatchImage> {
  const header = await readImageHeader(file)
  const inTokenLimit = Math.min(config.inTokenLimit, mostTokens * config.mergeSize ** 2)
  const plan = planImage(header.size, { ...config, inTokenLimit })
  const image = await decodeImage(header)
  return patchify(resizeBicubic(image, plan.resized), plan, config.patchSize)
}
