import { Tensor } from 'onnxruntime-node'
import type { Tensors } from '../../accelerator/accelerator.ts'
import { DeviceFeatures } from '../../accelerator/feature-memory.ts'
import type { OpenGraph } from '../../accelerator/open-graph.ts'
import type { VisionConfig } from '../../config/model-config.ts'
import type { PatchImage } from '../../model.ts'
import type { NormalizePatches } from '../normalize-patches.ts'
import { embeddingInputs, mergedPatches, rotaryInputs } from '../pass-inputs.ts'
import { passesOf, type Pass } from '../passes.ts'
import { mergeOrder } from '../rope-2d.ts'
import type { DevicePatchState } from './device-patch-state.ts'
import { deviceVisionNames as names } from './device-vision-names.ts'

/** The vision tower on a device. */
interface DeviceTower {
  readonly config: VisionConfig
  readonly normalize: NormalizePatches
  /** Width of image features. */
  readonly featureWidth: number
  readonly embedding: OpenGraph
  /** One more than there are blocks. */
  readonly stages: readonly OpenGraph[]
  readonly projector: OpenGraph
  /** For features that stay on the device. */
  readonly keepingProjector: OpenGraph
}

/** Bytes of attention scores at a time, as many as the smallest limit of a buffer that WebGPU allows. */
const mostScoreBytes = 2 ** 27

/** See `visionPasses`. */
export function devicePasses(
  tower: DeviceTower,
  image: PatchImage,
  state: DevicePatchState,
  features: Float32Array | DeviceFeatures,
): Pass[] {
  const { config } = tower
  const [rows, columns] = image.gridHw
  return passesOf(image, config, {
    embed: embedding(tower, image, state),
    stage: stages(tower, image, state),
    project: projection(tower, image, state, features),
    mostStagePatches: mostScoreBytes / (4 * config.num_attention_heads * rows * columns),
  })
}

function embedding(
  { embedding: graph, config, normalize }: DeviceTower,
  image: PatchImage,
  state: DevicePatchState,
): Pass['run'] {
  const inputs = embeddingInputs(image, config, normalize)
  return async (from, to) => {
    if (from === 0) await state.open()
    const writeRows = int64s(range(from, to), [to - from, 1])
    await state.run(graph, { ...inputs(from, to), [names.writeRows]: writeRows })
  }
}

function stages(
  { stages: graphs, config }: DeviceTower,
  image: PatchImage,
  state: DevicePatchState,
): (stage: number) => Pass['run'] {
  const rotary = rotaryInputs(image, config)
  return (stage) => async (from, to) => {
    if (from === 0) state.nextBlock()
    await state.run(graphs[stage]!, {
      [names.rows]: int64s(range(from, to), [to - from]),
      [names.writeRows]: int64s(range(from, to), [to - from, 1]),
      ...rotary(from, to),
    })
  }
}

function projection(
  { projector, keepingProjector, config, featureWidth }: DeviceTower,
  { gridHw: [rows, columns] }: PatchImage,
  state: DevicePatchState,
  features: Float32Array | DeviceFeatures,
): Pass['run'] {
  const merged = mergedPatches(config)
  const order = mergeOrder(rows, columns, config.merge_kernel_size[0])
  return async (from, to) => {
    const patches = { [names.rows]: int64s(order.subarray(from, to), [to - from]) }
    const part = features.subarray((from / merged) * featureWidth, (to / merged) * featureWidth)
    if (part instanceof DeviceFeatures) {
      await keep(part, (feeds, updated) =>
        state.run(keepingProjector, { ...patches, ...feeds }, updated),
      )
    } else {
      const outputs = await state.run(projector, patches)
      part.set(outputs[names.imageFeatures]!.data as Float32Array)
    }
  }
}

/** Has a run write features to their rows. */
async function keep(
  { memory, rows }: DeviceFeatures,
  run: (feeds: Tensors, updated: Tensors) => Promise<Tensors>,
): Promise<void> {
  const feeds = {
    [names.featureRows]: int64s(rows, [rows.length, 1]),
    [names.features]: memory.tensor,
  }
  const outputs = await run(feeds, { [names.nextFeatures]: memory.tensor })
  memory.tensor = outputs[names.nextFeatures]!
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

function int64s(values: ArrayLike<number>, dims: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(Array.from(values), BigInt), dims)
}
