import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeOutlierCheckpoint } from '../../../test/support/model/outlier-checkpoint.ts'
import { convertInto } from './convert-into.ts'
import { openModelSource } from './source/model-source.ts'

let root: string
let checkpointDir: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'convert-into-'))
  checkpointDir = join(root, 'checkpoint')
  const outliers = { parts: ['text', 'vision'], power: 7, seed: 1 } as const
  await writeOutlierCheckpoint(checkpointDir, 'models/kimi-vl-nano', outliers)
})
afterAll(() => rm(root, { recursive: true }))

async function convert(folder: string) {
  const source = await openModelSource(checkpointDir)
  const told: string[] = []
  try {
    await convertInto(folder, {
      source,
      options: { weights: 'q8', slots: 1 },
      made: { weights: 'q8', layout: 'of this test' },
      threads: 1,
      report: (line) => told.push(line),
      signal: new AbortController().signal,
    })
  } finally {
    await source.checkpoint.close()
  }
  return told
}

async function filesOf(folder: string) {
  const names = (await readdir(folder)).filter((name) => name !== 'conversion.jsonl').toSorted()
  const contents = await Promise.all(names.map((name) => readFile(join(folder, name))))
  return new Map(names.map((name, i) => [name, contents[i]!.toString('latin1')]))
}

describe('convertInto()', () => {
  it('goes on wherever it was cut off, and whatever the disk lost, with the same result', async () => {
    const whole = join(root, 'whole')
    await mkdir(whole)
    const told = await convert(whole)
    expect(told.at(-1)).toMatch(/^balanced \d+ outlier channels in \d+ places$/)
    const expected = await filesOf(whole)
    const journal = await readFile(join(whole, 'conversion.jsonl'), 'utf8')
    for (const part of [0, 0.35, 0.999]) {
      const folder = join(root, `cut-${part}`)
      await cp(whole, folder, { recursive: true })
      await rm(join(folder, 'manifest.json'))
      const file = join(folder, 'conversion.jsonl')
      await writeFile(file, journal.slice(0, Math.floor(part * journal.length)))
      await truncate(join(folder, 'decoder.weights'), 1_000_000)
      await rm(join(folder, 'vision-blocks.weights'))
      await convert(folder)
      expect(await filesOf(folder)).toEqual(expected)
    }
  })

  it('does nothing twice, and begins anew when the checkpoint changed', async () => {
    const folder = join(root, 'again')
    await mkdir(folder)
    await convert(folder)
    const file = join(folder, 'conversion.jsonl')
    const linesOf = async () =>
      (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '').length
    const lines = await linesOf()
    await convert(folder)
    expect(await linesOf()).toBe(lines)
    const config = join(checkpointDir, 'config.json')
    await writeFile(config, `${await readFile(config, 'utf8')}\n`)
    const journal = await readFile(file, 'utf8')
    await convert(folder)
    expect(await linesOf()).toBe(lines)
    expect((await readFile(file, 'utf8')).split('\n')[0]).not.toBe(journal.split('\n')[0])
  })
})
