import { describe, expect, it } from 'vitest'
import { hostCacheTokens } from '../memory/memory-parts.ts'
import { buildGraphs } from './convert/graphs/build-graphs.ts'
import { openModelSource } from './convert/source/model-source.ts'
import { stageBytes } from './deepseek/stages/cut-graph.ts'
import { bufferBytes } from './accelerator/buffer-sizes.ts'
import { deviceNeeds } from './device-needs.ts'
import { formNeeds } from './host-needs.ts'
import { externalsOf } from '../graph/device-graph.ts'
import type { BuiltGraph } from '../graph/graph-builder.ts'

const nano = 'models/kimi-vl-nano'
const form = { weights: 'q8', slots: 4, threads: 2 } as const
/** Numbers of a cached token in one of nano's four layers. */
const width = 80

describe('the memory of a decoder that is divided', () => {
  it('is, on the machine, that of the layers which stay there', async () => {
    const source = await openModelSource(nano)
    const needs = (layout: 'cpu' | 'device', cpuLayers?: number) =>
      formNeeds(source, { ...form, layout, cpuLayers }).chosen
    await source.checkpoint.close()
    const bytes = [needs('device'), needs('device', 2), needs('device', 3)]
    const weights = bytes.map(({ weightBytes }) => weightBytes)
    expect(weights.toSorted((a, b) => a - b)).toEqual(weights)
    expect(new Set(weights).size).toBe(3)
    expect(weights[0]).toBe(0)
    expect(bytes.map(({ cacheBytesPerToken }) => cacheBytesPerToken)).toEqual(
      [0, 2, 3].map((layers) => layers * width * 4),
    )
    expect(bytes.map(({ stepBytesPerToken }) => stepBytesPerToken > 0)).toEqual([false, true, true])
    const whole = needs('cpu')
    expect(whole.cacheBytesPerToken).toBe(4 * width * 4)
    expect(whole.weightBytes).toBeGreaterThan(weights[2]!)
  })

  it('grows with each further stage', async () => {
    const source = await openModelSource(nano)
    await source.checkpoint.close()
    const { stagesBytes: one } = formNeeds(source, { ...form, layout: 'cpu' }).chosen
    const stageLayers = [1, 1, 2]
    const { stagesBytes } = formNeeds(source, { ...form, layout: 'cpu', stageLayers }).chosen
    expect([one, stagesBytes]).toEqual([0, 2 * stageBytes])
  })

  it('is, on the machine, that of no picture on its way through a card: only of what comes back', async () => {
    const source = await openModelSource(nano)
    const { chosen } = formNeeds(source, { ...form, layout: 'device' })
    const { hidden_size: hidden } = source.config.text_config
    await source.checkpoint.close()
    const mostTokens = source.preprocessor.inTokenLimit / 4
    expect(chosen.imageBytes).toBe(mostTokens * hidden * 4)
    // One weight at a time passes through.
    expect(chosen.largestWeightBytes).toBeGreaterThan(0)
  })

  it('is, on a card, known layer by layer', async () => {
    const needs = await deviceNeeds(nano, form)
    const source = await openModelSource(nano)
    const options = { ...form, layout: 'device', cacheType: 'float16' } as const
    const graphs = Object.values(buildGraphs(source.config, source.checkpoint, options))
    await source.checkpoint.close()
    const sizes = graphs.flatMap(({ spec }: BuiltGraph) =>
      externalsOf(spec).map(({ byteLength }) => bufferBytes(byteLength)),
    )
    const total = sizes.reduce((sum, bytes) => sum + bytes, 0)
    const inLayers = needs.layerBytes.reduce((sum, bytes) => sum + bytes, 0)
    expect(needs.layerBytes).toHaveLength(4)
    expect(Math.min(...needs.layerBytes)).toBeGreaterThan(0)
    expect(inLayers + needs.otherBytes).toBe(total)
    expect(needs.cacheBytesPerToken).toBe(width * 2)
  })

  it('counts on the machine the tokens that the card has room for', () => {
    expect(hostCacheTokens(undefined, undefined)).toBeUndefined()
    expect(hostCacheTokens(5000, { cacheTokens: 4000, cpuLayers: 0 })).toBe(5000)
    expect(hostCacheTokens(undefined, { cacheTokens: 4000, cpuLayers: 9 })).toBe(4000)
  })
})
