import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nano } from '../../../test/parity/golden-cases.ts'
import {
  writeOutlierCheckpoint,
  type OutlierPart,
} from '../../../test/support/model/outlier-checkpoint.ts'
import { openModelSource, type ModelSource } from '../convert/source/model-source.ts'
import { channelLinks } from '../equalize/channel-links.ts'
import type { ChannelMaxima } from '../equalize/channel-maxima.ts'
import { measureAll, measureChannels } from './measure-channels.ts'

/** Milliseconds: a model is run layer by layer. */
const patience = 120_000
const power = 5
const { signal } = new AbortController()

let root: string
let usual: ChannelMaxima
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'measure-'))
  usual = await measured(nano)
}, patience)
afterAll(() => rm(root, { recursive: true }))

async function measured(folder: string): Promise<ChannelMaxima> {
  const source = await openModelSource(folder)
  try {
    return await measureAll(source, { threads: 1, signal })
  } finally {
    await source.checkpoint.close()
  }
}

async function rowsBehind(source: ModelSource, wanted: string): Promise<Float32Array> {
  const tokens = await source.readTokens!()
  for await (const { part, rows } of measureChannels(source, tokens, { threads: 1, signal })) {
    if (part === wanted) return rows!.slice()
  }
  throw new RangeError(`there is no ${wanted}`)
}

/** How many times as large channels are with outliers, by the places of those that are not as they were. */
async function growth(part: OutlierPart): Promise<ReadonlyMap<string, readonly number[]>> {
  const folder = join(root, part)
  await writeOutlierCheckpoint(folder, nano, { parts: [part], power, seed: 3 })
  const grown = await measured(folder)
  expect([...grown.keys()]).toEqual([...usual.keys()])
  const ratios = [...grown].map(([link, values]) => {
    const before = usual.get(link)!
    const own = [...values].flatMap((value, c) => (value === before[c] ? [] : value / before[c]!))
    return [link, own] as const
  })
  return new Map(ratios.filter(([, own]) => own.length > 0))
}

describe('measureAll()', () => {
  it('measures the channels of all places but the queries, which no norm makes', async () => {
    const { config, checkpoint } = await openModelSource(nano)
    await checkpoint.close()
    const places = channelLinks(config).filter(({ name }) => !name.includes('.queries.'))
    expect([...usual.keys()].toSorted()).toEqual(places.map(({ name }) => name).toSorted())
    for (const { name, channels } of places) {
      expect(usual.get(name)).toHaveLength(channels)
      expect(Math.max(...usual.get(name)!)).toBeGreaterThan(0)
    }
  })

  it.each(['text', 'vision'] as const)(
    'finds outliers of %s that change nothing else, with their sizes: to the last bit where no median counts',
    async (part) => {
      const grown = await growth(part)
      const isNormed = (link: string) => /norm\d?$/.test(link)
      const [normed, others] = [true, false].map((kind) =>
        [...grown].flatMap(([link, own]) => (isNormed(link) === kind ? own : [])),
      )
      expect(new Set(others)).toEqual(new Set([2 ** power]))
      // Outliers raise the median of a row a little: here, by less than half a power of two.
      const nearest = new Set(normed!.map((ratio) => Math.abs(Math.round(Math.log2(ratio)))))
      expect(nearest).toEqual(new Set([0, power]))
      const places = [...usual.keys()].filter(
        (link) =>
          link.startsWith('vision_tower.') === (part === 'vision') && !link.endsWith('middle'),
      )
      expect([...grown.keys()].toSorted()).toEqual(places.toSorted())
    },
    patience,
  )

  it(
    'sees what no weight of a norm shows: that its weights make up for small channels',
    async () => {
      const grown = await growth('faint')
      const ratios = [...grown].filter(([link]) => /norm\d?$/.test(link)).flatMap(([, own]) => own)
      expect(Math.max(...ratios)).toBeLessThan(2)
    },
    patience,
  )

  it('finds the same when it goes on after a layer', async () => {
    const source = await openModelSource(nano)
    const [tokens, options] = [await source.readTokens!(), { threads: 1, signal }]
    const parts = []
    for await (const part of measureChannels(source, tokens, options)) parts.push(part)
    const at = parts.findIndex(({ part }) => part === 'layers.2')
    // The rows go on being worked on.
    const rows = await rowsBehind(source, 'layers.1')
    const rest = []
    const after = { part: 'layers.1', rows }
    for await (const part of measureChannels(source, tokens, { ...options, after })) rest.push(part)
    expect(rest.map(({ part, maxima }) => [part, maxima])).toEqual(
      parts.slice(at).map(({ part, maxima }) => [part, maxima]),
    )
    await source.checkpoint.close()
  })

  it('finds nothing where there are weights alone', async () => {
    const source = await openModelSource(nano)
    const options = { threads: 1, signal }
    expect(await measureAll({ ...source, readTokens: undefined }, options)).toEqual(new Map())
    await source.checkpoint.close()
  })
})
