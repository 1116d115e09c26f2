import { Tensor, type InferenceSession } from 'onnxruntime-node'
import type { VisionConfig } from './model-config.ts'
import type { PatchImage } from './model.ts'
import { positionWeights } from './moonvit/position-weights.ts'
import { mergeOrder, rope2d } from './moonvit/rope-2d.ts'
import { visionNames } from './moonvit/vision-graph.ts'
import type { NormalizePatches } from './normalize-patches.ts'

interface VisionParts {
  readonly session: InferenceSession
  readonly config: VisionConfig
  readonly normalize: NormalizePatches
}

/** The feeds of one vision run. */
export function visionFeeds(
  { config, normalize }: Pick<VisionParts, 'config' | 'normalize'>,
  image: PatchImage,
): Record<string, Tensor> {
  const [rows, columns] = image.gridHw
  const count = rows * columns
  const patchValues = 3 * config.patch_size ** 2
  if (image.patches.length !== count * patchValues) {
    throw new RangeError(`${image.patches.length} patch bytes for a grid of ${rows} x ${columns}`)
  }
  const headDim = config.hidden_size / config.num_attention_heads
  const rope = rope2d(rows, columns, headDim)
  const order = mergeOrder(rows, columns, config.merge_kernel_size[0])
  return {
    [visionNames.patches]: new Tensor('float32', normalize(image.patches), [count, patchValues]),
    [visionNames.rowWeights]: axisWeights(rows, config.init_pos_emb_height),
    [visionNames.columnWeights]: axisWeights(columns, config.init_pos_emb_width),
    [visionNames.cos]: new Tensor('float32', rope.cos, [count, headDim / 2]),
    [visionNames.sin]: new Tensor('float32', rope.sin, [count, headDim / 2]),
    [visionNames.mergeOrder]: new Tensor('int64', order, [count]),
  }
}

function axisWeights(count: number, size: number): Tensor {
  return new Tensor('float32', positionWeights(count, size), [count, size])
}

/** Runs the vision graph for one image. @returns [image tokens, text hidden size] */
export async function encodeImage(parts: VisionParts, image: PatchImage): Promise<Float32Array> {
  const outputs = await parts.session.run(visionFeeds(parts, image), [visionNames.imageFeatures])
  return outputs[visionNames.imageFeatures]!.data as Float32Array
}
