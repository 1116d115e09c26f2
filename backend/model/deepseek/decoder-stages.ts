import type { Checkpoint } from '../../checkpoint/checkpoint.ts'
import { placedAs } from '../../graph/placed-graph.ts'
import type { BuiltGraph } from '../../graph/graph-builder.ts'
import type { TextConfig } from '../config/model-config.ts'
import { buildDecoderGraph, type DecoderGraphOptions, type LayerRange } from './decoder-graph.ts'

/** A stage of the decoder: consecutive layers with a graph, and later a session, of their own. */
export interface DecoderStage<Graph> {
  readonly layers: LayerRange
  readonly graph: Graph
}

/**
 * The decoder cut into stages that read the weights file of the whole.
 * @param counts layers of each stage, from the first on
 * @param whole the graph of all layers, which is also the only stage's
 */
export function decoderStages(
  config: TextConfig,
  checkpoint: Checkpoint,
  options: Omit<DecoderGraphOptions, 'layers'>,
  counts: readonly number[],
  whole: BuiltGraph,
): DecoderStage<BuiltGraph>[] {
  return layerRanges(counts, config.num_hidden_layers).map((layers, _, { length }) => {
    if (length === 1) return { layers, graph: whole }
    const graph = buildDecoderGraph(config, checkpoint, { ...options, layers })
    return { layers, graph: placedAs(whole, graph) }
  })
}

/** @throws {RangeError} when the stages do not hold exactly `total` layers, each at least one */
function layerRanges(counts: readonly number[], total: number): LayerRange[] {
  let from = 0
  const ranges = counts.map((count) => ({ from, to: (from += count) }))
  if (from === total && counts.every((count) => count > 0)) return ranges
  throw new RangeError(`stages of ${counts.join(' and ')} layers for a decoder of ${total}`)
}
