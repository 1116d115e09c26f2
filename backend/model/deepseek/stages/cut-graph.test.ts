import { describe, expect, it } from 'vitest'
import type { BuiltGraph } from '../../../graph/graph-builder.ts'
import { stageLayersFor } from './cut-graph.ts'

/** A graph with weights of these sizes in its layers, and of `head` behind them. */
function graphOf(layers: readonly number[], head: number): BuiltGraph {
  const weight = (name: string, byteLength: number) => ({
    name,
    byteLength,
    type: 'uint8' as const,
    dims: [byteLength],
    offset: 0,
  })
  const initializers = [
    ...layers.map((bytes, layer) => weight(`/layers.${layer}/mlp/weight`, bytes)),
    weight('/lm_head/weight', head),
  ]
  const spec = { name: 'decoder', nodes: [], inputs: [], outputs: [], initializers }
  return { spec, fills: [], weightBytes: 0, activations: new Map() }
}

describe('stageLayersFor()', () => {
  it('cuts a large decoder where both halves take equally long to load', () => {
    expect(stageLayersFor(graphOf([1e9, 1e9, 1e9, 1e9], 0), 4, 2)).toEqual([2, 2])
    expect(stageLayersFor(graphOf([1e9, 1e9, 1e9, 1e9], 2e9), 4, 2)).toEqual([3, 1])
    expect(stageLayersFor(graphOf([0.1e9, 6e8, 6e8, 6e8], 4e8), 4, 16)).toEqual([3, 1])
  })

  it('cuts again what has more than seven layers', () => {
    const equal = (layers: number) =>
      graphOf(
        Array.from({ length: layers }, () => 1e9),
        0,
      )
    expect(stageLayersFor(equal(14), 14, 2)).toEqual([7, 7])
    expect(stageLayersFor(equal(16), 16, 2)).toEqual([4, 4, 4, 4])
    expect(stageLayersFor(equal(27), 27, 2)).toEqual([6, 7, 7, 7])
    expect(stageLayersFor(equal(9), 9, 1)).toEqual([4, 5])
  })

  it('gives every stage a layer', () => {
    expect(stageLayersFor(graphOf([9e9, 1e9], 0), 2, 2)).toEqual([1, 1])
    expect(stageLayersFor(graphOf([1e9, 9e9], 0), 2, 2)).toEqual([1, 1])
  })

  it('leaves a decoder whole that is small, has one layer, or a single core', () => {
    expect(stageLayersFor(graphOf([1e6, 1e6], 0), 2, 2)).toEqual([2])
    expect(stageLayersFor(graphOf([9e9], 0), 1, 2)).toEqual([1])
    expect(stageLayersFor(graphOf([9e9, 9e9], 0), 2, 1)).toEqual([2])
  })
})
