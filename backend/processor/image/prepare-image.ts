import type { PatchImage } from '../../model/model.ts'
import type { PreprocessorConfig } from '../../model/config/preprocessor-config.ts'
import { patchify } from './patchify.ts'
import { readResized } from './read-resized.ts'

/**
 * Turns one whole image file into the patches the model sees.
 * @param mostTokens that it may take, where that is less than the model's own limit
 * @throws {ImageProblem}
 */
export async function prepareImage(
  file: Uint8Array,
  config: PreprocessorConfig,
  mostTokens?: number,
): Promise<PatchImage> {
  const { image, plan } = await readResized(file, config, mostTokens)
  return patchify(image, plan, config.patchSize)
}
