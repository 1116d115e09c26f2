import { Tensor, type InferenceSession } from 'onnxruntime-node'
import type { VisionConfig } from '../config/model-config.ts'
import type { PatchImage } from '../model.ts'
import type { OpenGraph } from '../sessions.ts'
import { embeddingInputs, floats, mergedPatches, rotaryInputs } from './pass-inputs.ts'
import { stageOutputs } from './network/blocks-graph.ts'
import { mergeOrder } from './rope-2d.ts'
import type { VisionParts } from './network/vision-graphs.ts'
import { passesOf, type Pass } from './passes.ts'
import { visionNames } from './vision-names.ts'
import type { NormalizePatches } from './normalize-patches.ts'
import type { PatchState } from './patch-state.ts'

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
  return passesOf(image, tower.config, {
    embed: embedding(tower, image, state),
    stage: stages(tower, image, state),
    project: projection(tower, image, state, features),
  })
}

function embedding(
  { sessions, config, normalize }: OpenTower,
  image: PatchImage,
  state: PatchState,
): Pass['run'] {
  const inputs = embeddingInputs(image, config, normalize)
  return async (from, to) => {
    const outputs = await sessions.embedding.run(inputs(from, to))
    state.setHidden(from, dataOf(outputs, visionNames.nextHidden))
  }
}

function stages(
  { sessions, config }: OpenTower,
  image: PatchImage,
  state: PatchState,
): (stage: number) => Pass['run'] {
  const rotary = rotaryInputs(image, config)
  return (stage) => async (from, to) => {
    const names = stageOutputs(stage)
    if (from === 0) state.nextBlock()
    const feeds = {
      [visionNames.stage]: new Tensor('int64', [BigInt(stage)], [1]),
      ...state.feeds(from, to),
      ...rotary(from, to),
    }
    const outputs = await sessions.blocks.run(feeds, Object.values(names))
    state.setHidden(from, dataOf(outputs, names.hidden))
    if (stage === config.num_hidden_layers) return
    state.setProjections(from, {
      queries: dataOf(outputs, names.queries),
      keys: dataOf(outputs, names.keys),
      values: dataOf(outputs, names.values),
    })
  }
}

function projection(
  { sessions, config, featureWidth }: OpenTower,
  { gridHw: [rows, columns] }: PatchImage,
  state: PatchState,
  features: Float32Array,
): Pass['run'] {
  const order = mergeOrder(rows, columns, config.merge_kernel_size[0])
  return async (from, to) => {
    const cells = state.gather(order.subarray(from, to))
    const outputs = await sessions.projector.run({
      [visionNames.cells]: floats(cells, [to - from, config.hidden_size]),
    })
    const made = dataOf(outputs, visionNames.imageFeatures)
    features.set(made, (from / mergedPatches(config)) * featureWidth)
  }
}

function dataOf(outputs: InferenceSession.OnnxValueMapType, name: string): Float32Array {
  return outputs[name]!.data as Float32Array
}
