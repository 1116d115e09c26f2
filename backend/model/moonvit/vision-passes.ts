import { Tensor, type InferenceSession } from 'onnxruntime-node'
import type { Pass } from './image-run.ts'
import type { VisionConfig } from '../config/model-config.ts'
import type { PatchImage } from '../model.ts'
import { positionWeights } from './position-weights.ts'
import { stageOutputs } from './network/blocks-graph.ts'
import { mergeOrder, rope2d } from './rope-2d.ts'
import type { VisionParts } from './network/vision-graphs.ts'
import { visionNames } from './vision-names.ts'
import type { NormalizePatches } from './normalize-patches.ts'
import type { PatchState } from './patch-state.ts'

/** The vision tower's opened parts. */
export interface OpenTower {
  readonly sessions: VisionParts<InferenceSession>
  readonly config: VisionConfig
  readonly normalize: NormalizePatches
  /** Width of image features. */
  readonly featureWidth: number
}

/**
 * The passes of an image through the tower.
 * @param features [patches / merged patches, width], filled by the last pass
 */
export function visionPasses(
  tower: OpenTower,
  image: PatchImage,
  state: PatchState,
  features: Float32Array,
): Pass[] {
  return [
    embeddingPass(tower, image, state),
    ...blockPasses(tower, image, state),
    projectorPass(tower, image, state, features),
  ]
}

/**
 * Work per patch, relative to what a block does for it apart from attention. Other parts are rated by their
 * operations, attention by measurement at true size on two cores: 30 ns per key, and 49 us for the rest of a block.
 */
export const visionWork = {
  embedding: 0.2,
  project: 0.25,
  feedForward: 0.75,
  perKey: 1 / 1_600,
  projector: 0.5,
}

/** In whole rows of the grid, because positions are interpolated per row. */
function embeddingPass(
  { sessions, config, normalize }: OpenTower,
  image: PatchImage,
  state: PatchState,
): Pass {
  const [rows, columns] = image.gridHw
  const [height, width] = [config.init_pos_emb_height, config.init_pos_emb_width]
  const rowWeights = positionWeights(rows, height)
  const columnWeights = tensor(positionWeights(columns, width), [columns, width])
  const values = patchValues(config)
  return {
    unit: columns,
    workPerPatch: visionWork.embedding,
    async run(from, to) {
      const [firstRow, endRow] = [from / columns, to / columns]
      const bytes = image.patches.subarray(from * values, to * values)
      const outputs = await sessions.embedding.run({
        [visionNames.patches]: tensor(normalize(bytes), [to - from, values]),
        [visionNames.rowWeights]: tensor(rowWeights.subarray(firstRow * height, endRow * height), [
          endRow - firstRow,
          height,
        ]),
        [visionNames.columnWeights]: columnWeights,
      })
      state.setHidden(from, floats(outputs, visionNames.nextHidden))
    },
  }
}

/** The blocks' stages, one pass each: see `buildBlocksGraph`. */
function blockPasses(
  { sessions, config }: OpenTower,
  image: PatchImage,
  state: PatchState,
): Pass[] {
  const blocks = config.num_hidden_layers
  const half = config.hidden_size / config.num_attention_heads / 2
  const { cos, sin } = rope2d(image.gridHw[0], image.gridHw[1], 2 * half)
  const patches = image.gridHw[0] * image.gridHw[1]
  const attending = visionWork.feedForward + patches * visionWork.perKey
  const ofPatches = (table: Float32Array, from: number, to: number) =>
    tensor(table.subarray(from * half, to * half), [to - from, half])
  return Array.from({ length: blocks + 1 }, (_, stage) => ({
    unit: mergedPatches(config),
    workPerPatch: (stage > 0 ? attending : 0) + (stage < blocks ? visionWork.project : 0),
    async run(from, to) {
      const names = stageOutputs(stage)
      if (from === 0) state.nextBlock()
      const feeds = {
        [visionNames.stage]: new Tensor('int64', [BigInt(stage)], [1]),
        ...state.feeds(from, to),
        [visionNames.cos]: ofPatches(cos, from, to),
        [visionNames.sin]: ofPatches(sin, from, to),
      }
      const outputs = await sessions.blocks.run(feeds, Object.values(names))
      state.setHidden(from, floats(outputs, names.hidden))
      if (stage === blocks) return
      state.setProjections(from, {
        queries: floats(outputs, names.queries),
        keys: floats(outputs, names.keys),
        values: floats(outputs, names.values),
      })
    },
  }))
}

function projectorPass(
  { sessions, config, featureWidth }: OpenTower,
  image: PatchImage,
  state: PatchState,
  features: Float32Array,
): Pass {
  const merged = mergedPatches(config)
  const order = mergeOrder(image.gridHw[0], image.gridHw[1], config.merge_kernel_size[0])
  return {
    unit: merged,
    workPerPatch: visionWork.projector,
    async run(from, to) {
      const cells = state.gather(order.subarray(from, to))
      const outputs = await sessions.projector.run({
        [visionNames.cells]: tensor(cells, [to - from, config.hidden_size]),
      })
      const made = floats(outputs, visionNames.imageFeatures)
      features.set(made, (from / merged) * featureWidth)
    },
  }
}

/** Values (bytes at first, floats later) of one patch. */
export function patchValues(config: VisionConfig): number {
  return 3 * config.patch_size ** 2
}

/** Patches that are merged into one token. */
export function mergedPatches(config: VisionConfig): number {
  return config.merge_kernel_size[0] * config.merge_kernel_size[1]
}

function tensor(values: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', values, dims)
}

function floats(outputs: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  return outputs[name]!.data as Float32Array
}
