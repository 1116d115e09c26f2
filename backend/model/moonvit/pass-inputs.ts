import { Tensor } from 'onnxruntime-node'
import type { VisionConfig } from '../config/model-config.ts'
import type { PatchImage } from '../model.ts'
import type { NormalizePatches } from './normalize-patches.ts'
import { positionWeights } from './position-weights.ts'
import { rope2d } from './rope-2d.ts'
import { visionNames } from './vision-names.ts'

/** What a part of the tower reads about patches [from, to). */
type InputsOf = (from: number, to: number) => Readonly<Record<string, Tensor>>

/** Pixels and positions for the embedding. Of whole rows of the grid, because positions are interpolated per row. */
export function embeddingInputs(
  { gridHw: [rows, columns], patches }: PatchImage,
  config: VisionConfig,
  normalize: NormalizePatches,
): InputsOf {
  const [height, width] = [config.init_pos_emb_height, config.init_pos_emb_width]
  const rowWeights = positionWeights(rows, height)
  const columnWeights = floats(positionWeights(columns, width), [columns, width])
  const values = patchValues(config)
  return (from, to) => {
    const [firstRow, endRow] = [from / columns, to / columns]
    const bytes = patches.subarray(from * values, to * values)
    return {
      [visionNames.patches]: floats(normalize(bytes), [to - from, values]),
      [visionNames.rowWeights]: floats(rowWeights.subarray(firstRow * height, endRow * height), [
        endRow - firstRow,
        height,
      ]),
      [visionNames.columnWeights]: columnWeights,
    }
  }
}

/** Cosines and sines of positions, for attention. */
export function rotaryInputs(
  { gridHw: [rows, columns] }: PatchImage,
  config: VisionConfig,
): InputsOf {
  const half = config.hidden_size / config.num_attention_heads / 2
  const { cos, sin } = rope2d(rows, columns, 2 * half)
  const ofPatches = (table: Float32Array, from: number, to: number) =>
    floats(table.subarray(from * half, to * half), [to - from, half])
  return (from, to) => ({
    [visionNames.cos]: ofPatches(cos, from, to),
    [visionNames.sin]: ofPatches(sin, from, to),
  })
}

/** Values (bytes at first, floats later) of one patch. */
export function patchValues(config: VisionConfig): number {
  return 3 * config.patch_size ** 2
}

/** Patches that are merged into one token. */
export function mergedPatches(config: VisionConfig): number {
  return config.merge_kernel_size[0] * config.merge_kernel_size[1]
}

export function floats(values: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', values, dims)
}
