import sharp from 'sharp'
import type { PreprocessorConfig } from '../../model/config/preprocessor-config.ts'
import { readResized } from './read-resized.ts'

/** An image file for an engine elsewhere. */
export interface NormalizedImage {
  /** A whole PNG: upright, 8-bit RGB on white, within the token limit, without metadata. */
  readonly png: Uint8Array
  /** Tokens that the model takes for it. */
  readonly tokens: number
}

/** zlib's level: higher ones take several times as long for a few per cent, and the file travels one hop. */
const compressionLevel = 3

/**
 * Turns one whole image file into a PNG of exactly the pixels that the model sees. The model's own image processor
 * does not resize it again, because it is within the limit; so patches made from it are those made here.
 * @param mostTokens that it may take, where that is less than the model's own limit
 * @throws {ImageProblem}
 */
export async function normalizeImage(
  file: Uint8Array,
  config: PreprocessorConfig,
  mostTokens?: number,
): Promise<NormalizedImage> {
  const { image, plan } = await readResized(file, config, mostTokens)
  const { rgb, width, height } = image
  const raw = { width, height, channels: 3 } as const
  const png = await sharp(rgb, { raw }).png({ compressionLevel }).toBuffer()
  const [rows, columns] = plan.gridHw
  return { png, tokens: (rows * columns) / config.mergeSize ** 2 }
}
