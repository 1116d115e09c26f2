import { Tensor, type InferenceSession } from 'onnxruntime-node'
import type { Pass } from './image-run.ts'
import type { VisionConfig } from '../config/model-config.ts'
import type { PatchImage } from '../model.ts'
import type { OpenGraph } from '../sessions.ts'
import { embeddingInputs, floats, mergedPatches, rotaryInputs } from './pass-inputs.ts'
import { stageOutputs } from './network/blocks-graph.ts'
import { mergeOrder } from './rope-2d.ts'
import type { VisionParts } from './network/vision-graphs.ts'
import { visionNames } from './vision-names.ts'
import type { NormalizePatches } from './normalize-patches.ts'
import type { PatchState } from './patch-state.ts'
import { stageWork, visionWork } from './vision-work.ts'

/** The vision tower's opened parts. */
export interface OpenTower {
  readonly sessions: VisionParts<OpenGraph>
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

function embeddingPass(
  { sessions, config, normalize }: OpenTower,
  image: PatchImage,
  state: PatchState,
): Pass {
  const inputs = embeddingInputs(image, config, normalize)
  return {
    unit: image.gridHw[1],
    workPerPatch: visionWork.embedding,
    async run(from, to) {
      const outputs = await sessions.embedding.run(inputs(from, to))
      state.setHidden(from, dataOf(outputs, visionNames.nextHidden))
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
  const rotary = rotaryInputs(image, config)
  return Array.from({ length: blocks + 1 }, (_, stage) => ({
    unit: mergedPatches(config),
    workPerPatch: stageWork(image, config, stage),
    async run(from, to) {
      const names = stageOutputs(stage)
      if (from === 0) state.nextBlock()
      const feeds = {
        [visionNames.stage]: new Tensor('int64', [BigInt(stage)], [1]),
        ...state.feeds(from, to),
        ...rotary(from, to),
      }
      const outputs = await sessions.blocks.run(feeds, Object.values(names))
      state.setHidden(from, dataOf(outputs, names.hidden))
      if (stage === blocks) return
      state.setProjections(from, {
        queries: dataOf(outputs, names.queries),
        keys: dataOf(outputs, names.keys),
        values: dataOf(outputs, names.values),
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
        [visionNames.cells]: floats(cells, [to - from, config.hidden_size]),
      })
      const made = dataOf(outputs, visionNames.imageFeatures)
      features.set(made, (from / merged) * featureWidth)
    },
  }
}

function dataOf(outputs: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  return outputs[name]!.data as Float32Array
}
