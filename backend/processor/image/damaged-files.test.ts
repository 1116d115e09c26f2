import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProcessorTasks } from '../tasks/processor-tasks.ts'
import { createTaskPool } from '../tasks/task-pool.ts'

/** Damaged versions of each file: cut at every tenth of its length, then with bits turned and numbers made huge. */
const damagedVersions = 120

let tasks: ProcessorTasks
beforeAll(() => {
  tasks = createTaskPool({
    textWorker: fileURLToPath(new URL('../tasks/text-worker.ts', import.meta.url)),
    imageProcess: fileURLToPath(new URL('../image-process/image-process.ts', import.meta.url)),
    modelFolder: 'models/kimi-vl-nano',
    threads: 2,
    decodeMemoryBytes: 2 ** 31,
    tenantWeights: new Map(),
  })
})
afterAll(() => tasks.close())

/** The same numbers at every run, from 0 up to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function damaged(file: Uint8Array, version: number, random: () => number): Uint8Array {
  if (version < 10) return file.slice(0, Math.floor((file.length * version) / 10))
  const copy = file.slice()
  // Most decisions are made in headers.
  const place = () =>
    Math.floor(random() * (random() < 0.5 ? Math.min(200, copy.length) : copy.length))
  for (let count = 1 + Math.floor(random() * 4); count > 0; count--) {
    const at = place()
    if (random() < 0.5) copy[at] = copy[at]! ^ (1 << Math.floor(random() * 8))
    else copy.fill(random() < 0.5 ? 0xff : 0, at, at + 4)
  }
  return copy
}

describe('damaged files', () => {
  const picture = () => sharp(readFileSync('test/golden/images/p05.png')).resize(96, 70)
  it.each([
    ['JPEG', (image: Sharp) => image.jpeg()],
    ['progressive JPEG', (image: Sharp) => image.jpeg({ progressive: true })],
    ['PNG', (image: Sharp) => image.png()],
    ['interlaced PNG', (image: Sharp) => image.png({ progressive: true })],
    ['WebP', (image: Sharp) => image.webp()],
    ['GIF', (image: Sharp) => image.gif()],
    ['TIFF', (image: Sharp) => image.tiff({ compression: 'lzw' })],
    ['TIFF with a JPEG', (image: Sharp) => image.tiff({ compression: 'jpeg' })],
    ['AVIF', (image: Sharp) => image.avif({ effort: 0 })],
  ])(
    'of %s are read or refused, and end no process',
    async (_, encode) => {
      const file = new Uint8Array(await encode(picture()).toBuffer())
      const random = randomFrom(5)
      const caller = { tenant: 'anyone', signal: new AbortController().signal }
      const files = Array.from({ length: damagedVersions }, (_item, version) =>
        damaged(file, version, random),
      )
      const outcomes = await Promise.all(files.map((each) => tasks.prepareImage(each, caller)))
      const told = new Set(outcomes.map((outcome) => (outcome.ok ? 'read' : outcome.code)))
      for (const code of told) {
        expect([
          'read',
          'empty_image',
          'invalid_image',
          'unsupported_image',
          'image_too_large',
        ]).toContain(code)
      }
      expect(told).toContain('invalid_image')
      expect(await tasks.prepareImage(file, caller)).toMatchObject({ ok: true })
    },
    60_000,
  )
})
