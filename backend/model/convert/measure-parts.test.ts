import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { channelLinks } from '../equalize/channel-links.ts'
import { measureParts, type MeasureChannels, type MeasuredPart } from './measure-parts.ts'
import { openModelSource, type ModelSource } from './source/model-source.ts'
import { partOf } from './tasks/conversion-task.ts'
import { Journal } from './tasks/journal.ts'

const { signal } = new AbortController()

let source: ModelSource
let folder: string
beforeAll(async () => {
  source = await openModelSource('models/kimi-vl-nano')
})
afterAll(() => source.checkpoint.close())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'measure-parts-'))
  return () => rm(folder, { recursive: true })
})

/** The parts of nano; the layers of the decoder with rows. */
function* allParts(): Generator<MeasuredPart, void> {
  const names = channelLinks(source.config).map(({ name }) => name)
  for (const [part, links] of Map.groupBy(names, (name) => partOf(name, 'decoder.weights'))) {
    const maxima = new Map(links.map((link, i) => [link, Float32Array.of(i, 0.1)]))
    const layer = /^layers\.(\d)$/.exec(part)?.[1]
    const rows = layer === undefined ? {} : { rows: Float32Array.of(7, Number(layer)) }
    yield { part, maxima, ...rows }
  }
}

/** Measures, breaking off before a part. @returns after what it was told to go on */
async function run(before?: string): Promise<Parameters<MeasureChannels>[2]['after'][]> {
  const begins: Parameters<MeasureChannels>[2]['after'][] = []
  const measure: MeasureChannels = async function* (_, __, { after }) {
    begins.push(after)
    const parts = [...allParts()]
    const first = parts.findIndex(({ part }) => part === after?.part) + 1
    for (const measured of parts.slice(first)) {
      if (measured.part === before) throw new Error('killed')
      yield await Promise.resolve(measured)
    }
  }
  const journal = await Journal.open(folder, 'of this test')
  try {
    const options = { measure, report() {}, threads: 1, signal }
    await measureParts(folder, source, journal, options).catch((error: Error) => {
      if (error.message !== 'killed') throw error
    })
  } finally {
    journal.close()
  }
  return begins
}

async function known(): Promise<unknown[]> {
  const journal = await Journal.open(folder, 'of this test')
  journal.close()
  return [...allParts()].map(({ part }) => [part, journal.maximaOf(part)])
}

const expected = () => [...allParts()].map(({ part, maxima }) => [part, maxima])

describe('measureParts()', () => {
  it('notes what is measured, once', async () => {
    expect(await run()).toEqual([undefined])
    expect(await known()).toEqual(expected())
    expect(await run()).toEqual([])
    expect(await readdir(folder)).toEqual(['conversion.jsonl'])
  })

  it('goes on after the latest layer that was measured', async () => {
    await run('layers.2')
    const rows = Float32Array.of(7, 1)
    expect(await run('layers.3')).toEqual([{ part: 'layers.1', rows }])
    expect(await run()).toEqual([{ part: 'layers.2', rows: Float32Array.of(7, 2) }])
    expect(await known()).toEqual(expected())
  })

  it.each(['blocks.2', 'layers.0'])('begins anew when no layer was measured: %s', async (part) => {
    await run(part)
    expect(await run()).toEqual([undefined])
    expect(await known()).toEqual(expected())
  })

  it('begins anew when the rows are not as they were', async () => {
    await run('layers.2')
    await writeFile(join(folder, 'calibration.rows'), Buffer.alloc(8))
    expect(await run()).toEqual([undefined])
    expect(await known()).toEqual(expected())
  })
})
