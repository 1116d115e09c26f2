import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import type { BuiltGraph } from '../../../graph/graph-builder.ts'
import type { WeightForm } from '../../../graph/layers.ts'
import type { VisionConfig } from '../../config/model-config.ts'
import type { Equalization } from '../../equalize/find-outliers.ts'
import { buildBlocksGraph } from './blocks-graph.ts'
import { buildEmbeddingGraph } from './embedding-graph.ts'
import { buildProjectorGraph } from './projector-graph.ts'

/** The vision tower's parts, in the order in which an image passes through them. */
export interface VisionParts<Part> {
  readonly embedding: Part
  readonly blocks: Part
  readonly projector: Part
}

/**
 * MoonViT and the projector.
 * @param equalization channels that were balanced in `checkpoint`; the weights file is the same whatever they are
 */
export function buildVisionGraphs(
  config: VisionConfig,
  checkpoint: Checkpoint,
  form: WeightForm,
  equalization: Equalization,
): VisionParts<BuiltGraph> {
  return {
    embedding: buildEmbeddingGraph(config, checkpoint),
    blocks: buildBlocksGraph({ config, checkpoint, form, equalization }),
    projector: buildProjectorGraph(config, checkpoint),
  }
}
