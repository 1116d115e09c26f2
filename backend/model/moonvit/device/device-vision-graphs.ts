import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import { GraphBuilder, type BuiltGraph, type Value } from '../../../graph/graph-builder.ts'
import type { WeightForm } from '../../../graph/layers.ts'
import { gather, scatterRows } from '../../../graph/operators/selection.ts'
import type { VisionConfig } from '../../config/model-config.ts'
import { embedPatches } from '../network/embedding-graph.ts'
import { featureWidth, outputFeatures, projectCells } from '../network/projector-graph.ts'
import { deviceVisionNames as names } from './device-vision-names.ts'
import { outputDone, patchRows } from './patch-rows.ts'
import { buildStageGraph, type StageKind } from './stage-graphs.ts'

/** The vision tower's graphs for a device. Their weights have the names that they have in the graphs for the CPU. */
export interface DeviceVisionGraphs {
  readonly embedding: BuiltGraph
  readonly stages: Readonly<Record<StageKind, BuiltGraph>>
  /** Its features come to the host. */
  readonly projector: BuiltGraph
  /** Its features stay. */
  readonly keepingProjector: BuiltGraph
}

export function buildDeviceVisionGraphs(
  config: VisionConfig,
  checkpoint: Checkpoint,
  form: WeightForm,
): DeviceVisionGraphs {
  const stage = (kind: StageKind) =>
    // Activations are not rounded on a device, so that nothing is balanced across a GELU.
    buildStageGraph({ config, checkpoint, form, equalization: {} }, kind)
  return {
    embedding: buildEmbedding(config, checkpoint),
    stages: { first: stage('first'), middle: stage('middle'), last: stage('last') },
    projector: buildProjector(config, checkpoint, outputFeatures),
    keepingProjector: buildProjector(config, checkpoint, keepFeatures),
  }
}

function buildEmbedding(config: VisionConfig, checkpoint: Checkpoint): BuiltGraph {
  const g = new GraphBuilder('vision_embedding')
  const all = patchRows(g, config.hidden_size)
  const hidden = all.input(names.hidden)
  outputDone(g, all.update(names.nextHidden, hidden, embedPatches(g, config, checkpoint)))
  return g.build()
}

function buildProjector(
  config: VisionConfig,
  checkpoint: Checkpoint,
  finish: (g: GraphBuilder, checkpoint: Checkpoint, features: Value) => void,
): BuiltGraph {
  const g = new GraphBuilder('projector')
  const hidden = g.input(names.hidden, 'float32', ['all_patches', config.hidden_size])
  const cells = gather(g, hidden, g.input(names.rows, 'int64', ['patches']), 0)
  finish(g, checkpoint, projectCells(g, config, checkpoint, cells))
  return g.build()
}

function keepFeatures(g: GraphBuilder, checkpoint: Checkpoint, features: Value): void {
  const dims = ['features', featureWidth(checkpoint)]
  const all = g.input(names.features, 'float32', dims)
  const rows = g.input(names.featureRows, 'int64', ['image_tokens', 1])
  const written = scatterRows(g, all, rows, features)
  g.output(names.nextFeatures, written, 'float32', dims)
  outputDone(g, written)
}
