import { externalsOf } from '../../../graph/device-graph.ts'
import type { BuiltGraph } from '../../../graph/graph-builder.ts'
import { withWeightsFile } from '../../../graph/weight-reader.ts'
import type { Accelerator, Tensors } from '../../accelerator/accelerator.ts'
import type { FeatureMemory } from '../../accelerator/feature-memory.ts'
import {
  openGraph,
  openSession,
  uploadWeights,
  type OpenGraph,
} from '../../accelerator/open-graph.ts'
import { branchScope } from '../network/blocks-graph.ts'
import { createPatchNormalizer } from '../normalize-patches.ts'
import type { VisionParts } from '../network/vision-graphs.ts'
import { beginRun, type TowerSetup, type VisionTower } from '../vision-tower.ts'
import { DevicePatchState } from './device-patch-state.ts'
import { devicePasses } from './device-tower.ts'
import type { DeviceVisionGraphs } from './device-vision-graphs.ts'
import { namedBlocks, type StageKind } from './stage-graphs.ts'

interface DeviceVisionSetup extends TowerSetup {
  /** Stays open when the tower is closed. */
  readonly accelerator: Accelerator
  /** Where features stay while there is room. Otherwise, and without it, they come to the host. */
  readonly memory: FeatureMemory | undefined
  readonly graphs: DeviceVisionGraphs
  /** What the weights files were written for. */
  readonly written: VisionParts<BuiltGraph>
  readonly weightsFiles: VisionParts<string>
}

/** Uploads the vision tower's weights. @throws {DeviceError} when the device has too little memory */
export async function openDeviceVision(setup: DeviceVisionSetup): Promise<VisionTower> {
  const { accelerator, memory, graphs, config, featureWidth } = setup
  const upload = (part: keyof VisionParts<string>) =>
    withWeightsFile(setup.weightsFiles[part], (readWeight) =>
      uploadWeights(accelerator, setup.written[part], readWeight),
    )
  const projecting = await upload('projector')
  const tower = {
    config,
    featureWidth,
    normalize: createPatchNormalizer(setup.preprocessor),
    embedding: await openGraph(accelerator, graphs.embedding, await upload('embedding')),
    stages: await openStages(setup, await upload('blocks')),
    projector: await openGraph(accelerator, graphs.projector, projecting),
    keepingProjector: await openGraph(accelerator, graphs.keepingProjector, projecting),
  }
  return {
    begin: (image) =>
      beginRun(config, image, (patches, tokens) => {
        const features = memory?.take(tokens) ?? new Float32Array(tokens * featureWidth)
        const state = new DevicePatchState(accelerator, patches, config)
        return {
          features,
          passes: devicePasses(tower, image, state, features),
          release: () => state.release(),
        }
      }),
    // With the accelerator, all that is on it closes.
    close: () => Promise.resolve(),
  }
}

/** Three graphs, each of them with the weights of every stage of its kind. */
async function openStages(
  { accelerator, graphs, config }: DeviceVisionSetup,
  uploaded: Tensors,
): Promise<OpenGraph[]> {
  const last = config.num_hidden_layers
  const kindOf = (stage: number): StageKind =>
    stage === 0 ? 'first' : stage === last ? 'last' : 'middle'
  const sessions = new Map<StageKind, OpenGraph['session']>()
  const stages: OpenGraph[] = []
  for (let stage = 0; stage <= last; stage++) {
    const graph = graphs.stages[kindOf(stage)]
    const names = externalsOf(graph.spec).map(({ name }) => name)
    const weights = names.map((name) => [name, uploaded[nameInStage(name, stage)]!])
    const session = sessions.get(kindOf(stage)) ?? (await openSession(accelerator, graph))
    sessions.set(kindOf(stage), session)
    stages.push({ session, weights: Object.fromEntries(weights) as Tensors })
  }
  return stages
}

/** Name of a stage's weight among the weights of all blocks. */
function nameInStage(name: string, stage: number): string {
  const blocks = new Map([
    [`/blocks.${namedBlocks.ended}/`, `/blocks.${stage - 1}/`],
    [`/blocks.${namedBlocks.begun}/`, `/blocks.${stage}/`],
  ])
  const named = [...blocks.keys()].find((prefix) => name.startsWith(prefix)) ?? ''
  return `/${branchScope}${blocks.get(named) ?? ''}${name.slice(named.length)}`
}
