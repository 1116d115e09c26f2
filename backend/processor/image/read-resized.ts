import type { PreprocessorConfig } from '../../model/config/preprocessor-config.ts'
import { decodeImage, readImageHeader } from './decode-image.ts'
import { type ImagePlan, planImage } from './image-size.ts'
import { resizeBicubic, type RgbImage } from './resize-bicubic.ts'

/** The pixels of an image as the model sees them, and how they are cut into patches. */
export interface ResizedImage {
  readonly image: RgbImage
  readonly plan: ImagePlan
}

/**
 * Decodes one whole image file and resizes it to the token limit. Anything the header already disqualifies is rejected
 * before a pixel is decoded.
 * @param mostTokens that it may take, where that is less than the model's own limit
 * @throws {ImageProblem}
 */
export async function readResized(
  file: Uint8Array,
  config: PreprocessorConfig,
  mostTokens = Infinity,
): Promise<ResizedImage> {
  const header = await readImageHeader(file)
  const inTokenLimit = Math.min(config.inTokenLimit, mostTokens * config.mergeSize ** 2)
  const plan = planImage(header.size, { ...config, inTokenLimit })
  return { image: resizeBicubic(await decodeImage(header), plan.resized), plan }
}
