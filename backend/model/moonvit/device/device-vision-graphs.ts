import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import { GraphBuilder, type BuiltGraph } from '../../../graph/graph-builder.ts'
import type { WeightForm } from '../../../graph/layers.ts'
import { gather } from '../../../graph/operators.ts'
import type { VisionConfig } from '../../config/model-config.ts'
import { embedPatches } from '../embedding-graph.ts'
import { outputFeatures } from '../projector-graph.ts'
import { deviceVisionNames as names } from './device-vision-names.ts'
import { outputDone, patchRows } from './patch-rows.ts'
import { buildStageGraph, type StageKind } from './stage-graphs.ts'

/** The vision tower's graphs for a device. Their weights have the names that they have in the graphs for the CPU. */
export interface DeviceVisionGraphs {
  readonly embedding: BuiltGraph
  readonly stages: Readonly<Record<StageKind, BuiltGraph>>
  readonly projector: BuiltGraph
}

export function buildDeviceVisionGraphs(
  config: VisionConfig,
  checkpoint: Checkpoint,
  form: WeightForm,
): DeviceVisionGraphs {
  const stage = (kind: StageKind) =>
    // Activations are not rounded on a device, so that nothing is balanced across a gelu.
    buildStageGraph({ config, checkpoint, form, equalization: {} }, kind)
  return {
    embedding: buildEmbedding(config, checkpoint),
    stages: { first: stage('first'), middle: stage('middle'), last: stage('last') },
    projector: buildProjector(config, checkpoint),
  }
}

function buildEmbedding(config: VisionConfig, checkpoint: Checkpoint): BuiltGraph {
  const g = new GraphBuilder('vision_embedding')
  const all = patchRows(g, config.hidden_size)
  const hidden = all.input(names.hidden)
  outputDone(g, all.update(names.nextHidden, hidden, embedPatches(g, config, checkpoint)))
  return g.build()
}

function buildProjector(config: VisionConfig, checkpoint: Checkpoint): BuiltGraph {
  const g = new GraphBuilder('projector')
  const hidden = g.input(names.hidden, 'float32', ['all_patches', config.hidden_size])
  const cells = gather(g, hidden, g.input(names.rows, 'int64', ['patches']), 0)
  outputFeatures(g, config, checkpoint, cells)
  return g.build()
}
