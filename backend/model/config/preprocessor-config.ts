import * as z from 'zod'
import { readModelJson } from './read-model-file.ts'

const perChannel = z.tuple([z.number(), z.number(), z.number()])

/** No field has a default: the reference's own defaults belong to another model and would give wrong pictures. */
const preprocessorSchema = z.object({
  in_token_limit: z.int().min(1),
  patch_size: z.int().min(1),
  merge_kernel_size: z
    .tuple([z.int().min(1), z.int().min(1)])
    .refine(([height, width]) => height === width, 'must be square'),
  pad_input: z.boolean(),
  image_mean: perChannel,
  image_std: perChannel.refine((std) => std.every((value) => value > 0), 'must be positive'),
})

/** How images become patches. */
export interface PreprocessorConfig {
  /** The most patches of one image before padding; larger images are scaled down. */
  readonly inTokenLimit: number
  /** Side of a patch in pixels. */
  readonly patchSize: number
  /** Patches along each side that are merged into one token. */
  readonly mergeSize: number
  /**
   * Whether to pad to whole tokens, with black on the right and below, or to crop to whole patches around the centre.
   */
  readonly padInput: boolean
  /** Per channel, for pixels scaled to 0..1. */
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}

/** @throws {CheckpointError} naming every bad field of preprocessor_config.json */
export async function readPreprocessorConfig(modelFolder: string): Promise<PreprocessorConfig> {
  const file = await readModelJson(modelFolder, 'preprocessor_config.json', preprocessorSchema)
  return {
    inTokenLimit: file.in_token_limit,
    patchSize: file.patch_size,
    mergeSize: file.merge_kernel_size[0],
    padInput: file.pad_input,
    mean: file.image_mean,
    std: file.image_std,
  }
}
