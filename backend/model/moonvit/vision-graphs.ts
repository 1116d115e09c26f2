import type { BuiltGraph } from '../../graph/graph-builder.ts'
import { buildBlocksGraph } from './blocks-graph.ts'
import { buildEmbeddingGraph } from './embedding-graph.ts'
import type { Encoder } from './encoder-block.ts'
import { buildProjectorGraph } from './projector-graph.ts'

/** The vision tower's parts, in the order in which an image passes through them. */
export interface VisionParts<Part> {
  readonly embedding: Part
  readonly blocks: Part
  readonly projector: Part
}

/** MoonViT and the projector. */
export function buildVisionGraphs(encoder: Encoder): VisionParts<BuiltGraph> {
  const { config, checkpoint, form } = encoder
  return {
    embedding: buildEmbeddingGraph(config, checkpoint),
    blocks: buildBlocksGraph(encoder),
    projector: buildProjectorGraph(config, checkpoint, form),
  }
}
