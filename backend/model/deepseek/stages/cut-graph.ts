import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import { externalsOf } from '../../../graph/device-graph.ts'
import type { BuiltGraph } from '../../../graph/graph-builder.ts'
import { placedAs } from '../../../graph/placed-graph.ts'
import type { TextConfig } from '../../config/model-config.ts'
import { buildDecoderGraph, type DecoderGraphOptions, type LayerRange } from '../decoder-graph.ts'

/** A stage of the decoder: consecutive layers with a graph of their own. */
export interface StageGraph<Graph> {
  readonly layers: LayerRange
  readonly graph: Graph
}

/**
 * The decoder cut into stages that read the weights file of the whole.
 * @param counts layers of each stage, from the first on
 * @param whole the graph of all layers, which is also the only stage's
 * @throws {RangeError} when the stages do not hold exactly all layers, each at least one
 */
export function cutGraph(
  config: TextConfig,
  checkpoint: Checkpoint,
  options: Omit<DecoderGraphOptions, 'layers'>,
  counts: readonly number[],
  whole: BuiltGraph,
): StageGraph<BuiltGraph>[] {
  return layerRanges(counts, config.num_hidden_layers).map((layers, _, { length }) => {
    if (length === 1) return { layers, graph: whole }
    const graph = buildDecoderGraph(config, checkpoint, { ...options, layers })
    return { layers, graph: placedAs(whole, graph) }
  })
}

function layerRanges(counts: readonly number[], total: number): LayerRange[] {
  let from = 0
  const ranges = counts.map((count) => ({ from, to: (from += count) }))
  if (from === total && counts.every((count) => count > 0)) return ranges
  throw new RangeError(`stages of ${counts.join(' and ')} layers for a decoder of ${total}`)
}

/** Bytes of weights from which two stages load noticeably faster than one: about a second. */
const leastCutBytes = 1e9

/** Two stages are loaded side by side; more would make each step longer and load no faster on most machines. */
const mostStages = 2

/**
 * Layers of each stage, for a decoder that loads as fast as it can.
 * @param threads cores that may be used
 */
export function stageLayersFor(whole: BuiltGraph, layers: number, threads: number): number[] {
  const sizes = layerSizes(whole, layers)
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0)
  if (threads < mostStages || layers < mostStages || total < leastCutBytes) return [layers]
  const largest = (first: number) => {
    const begin = sizes.slice(0, first).reduce((sum, bytes) => sum + bytes, 0)
    return Math.max(begin, total - begin)
  }
  const cuts = Array.from({ length: layers - 1 }, (_, i) => i + 1)
  const first = cuts.reduce((best, cut) => (largest(cut) < largest(best) ? cut : best))
  return [first, layers - first]
}

/** Bytes of weights by layer; what follows the last layer counts as its. */
function layerSizes({ spec }: BuiltGraph, layers: number): number[] {
  const sizes = Array.from({ length: layers }, () => 0)
  for (const { name, byteLength } of externalsOf(spec)) {
    const layer = /^\/layers\.(\d+)\//.exec(name)?.[1]
    sizes[layer === undefined ? layers - 1 : Number(layer)]! += byteLength
  }
  return sizes
}
