import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import { externalsOf } from '../../../graph/device-graph.ts'
import type { BuiltGraph } from '../../../graph/graph-builder.ts'
import { placedAs } from '../../../graph/placed-graph.ts'
import type { TextConfig } from '../../config/model-config.ts'
import { layerOf } from '../decoder-names.ts'
import { buildDecoderGraph, type DecoderGraphOptions, type LayerRange } from '../decoder-graph.ts'

/** A stage of the decoder: consecutive layers with a graph of their own. */
export interface StageGraph<Graph> {
  readonly layers: LayerRange
  readonly graph: Graph
}

export interface Cut {
  /** Layers of each stage, from the first on. */
  readonly counts: readonly number[]
  /** The layer after the last of them. */
  readonly end: number
  /** The graph of all layers, which is also that of a stage that has them all. */
  readonly whole: BuiltGraph
}

/**
 * The decoder, or its first layers, cut into stages that read the weights file of the whole.
 * @throws {RangeError} when the stages do not hold exactly the layers up to `end`, each at least one
 */
export function cutGraph(
  config: TextConfig,
  checkpoint: Checkpoint,
  options: Omit<DecoderGraphOptions, 'layers'>,
  { counts, end, whole }: Cut,
): StageGraph<BuiltGraph>[] {
  return layerRanges(counts, end).map((layers) => {
    if (isWhole(layers, config)) return { layers, graph: whole }
    const graph = buildDecoderGraph(config, checkpoint, { ...options, layers })
    return { layers, graph: placedAs(whole, graph) }
  })
}

/** Whether these are all layers of the decoder. */
export function isWhole({ from, to }: LayerRange, config: TextConfig): boolean {
  return from === 0 && to === config.num_hidden_layers
}

function layerRanges(counts: readonly number[], total: number): LayerRange[] {
  let from = 0
  const ranges = counts.map((count) => ({ from, to: (from += count) }))
  if (from === total && counts.every((count) => count > 0)) return ranges
  throw new RangeError(`stages of ${counts.join(' and ')} layers for a decoder of ${total}`)
}

/** Bytes of weights from which stages load noticeably faster than the whole: about a second. */
const leastCutBytes = 1e9

/**
 * Layers that are opened as one. ONNX Runtime plans a graph in a time that grows with the square of its experts: 0.4 s of
 * processor time for 4 layers of 64 experts, 2 s for 7 and 8 s for 13. But each stage keeps memory for its own intermediate
 * results, and passes its results on to another thread.
 */
const mostLayersOfStage = 7

/** Bytes that a stage keeps for its intermediate results. Measured with 27 layers of true size: four stages take 0.2 GB more than two. */
export const stageBytes = 100e6

/** Stages are loaded side by side when there is more than one core for them. */
const leastThreads = 2

/**
 * Layers of each stage, for a decoder that loads as fast as it can.
 * @param threads cores that may be used
 */
export function stageLayersFor(whole: BuiltGraph, layers: number, threads: number): number[] {
  const sizes = layerSizes(whole, layers)
  if (sum(sizes) < leastCutBytes) return [layers]
  return threads < leastThreads || layers < 2
    ? shortStages(sizes)
    : halves(sizes).flatMap(shortStages)
}

/** @param sizes of the layers, in bytes. @returns layers of each stage */
function shortStages(sizes: readonly number[]): number[] {
  return sizes.length <= mostLayersOfStage ? [sizes.length] : halves(sizes).flatMap(shortStages)
}

/** Two parts of about the same size. @param sizes at least two */
function halves(sizes: readonly number[]): [readonly number[], readonly number[]] {
  const largest = (at: number) => Math.max(sum(sizes.slice(0, at)), sum(sizes.slice(at)))
  const cuts = Array.from({ length: sizes.length - 1 }, (_, i) => i + 1)
  const cut = cuts.reduce((best, one) => (largest(one) < largest(best) ? one : best))
  return [sizes.slice(0, cut), sizes.slice(cut)]
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, bytes) => total + bytes, 0)
}

/** Bytes of weights by layer; whatever follows the last layer counts as part of it. */
function layerSizes({ spec }: BuiltGraph, layers: number): number[] {
  const sizes = Array.from({ length: layers }, () => 0)
  for (const { name, byteLength } of externalsOf(spec)) {
    sizes[layerOf(name) ?? layers - 1]! += byteLength
  }
  return sizes
}
