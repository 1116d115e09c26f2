import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { measureChannels } from '../streamed/measure-channels.ts'
import { externalsOf } from '../../graph/device-graph.ts'
import { readManifest } from './manifest.ts'
import { prepareModelFolder, type ModelFolderOptions } from './model-folder.ts'
import { openModelSource } from './source/model-source.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'model-folder-'))
})
afterAll(() => rm(root, { recursive: true }))

/** What is told of a whole conversion, but for lines that pass. */
const linesOfConversion = [
  expect.stringMatching(/^measuring channels: done, \d\.\d MB in \d+ s$/),
  expect.stringMatching(/^converting weights: done, 4\.8 MB in \d+ s$/),
]

describe('prepareModelFolder()', () => {
  const setUp = async (name: string) => {
    const checkpointDir = join(root, name)
    const modelsDir = join(root, `${name}-models`)
    await cp('models/kimi-vl-nano', checkpointDir, { recursive: true })
    const told: string[] = []
    const prepare = async (
      slots = 1,
      signal = new AbortController().signal,
      more: Partial<ModelFolderOptions> = {},
    ) => {
      const source = await openModelSource(checkpointDir)
      const onProgress = (text: string, passing = false) => {
        if (!passing) told.push(text)
      }
      const options = { modelsDir, weights: 'q8', slots, threads: 2, signal } as const
      try {
        return await prepareModelFolder(source, {
          ...options,
          measure: measureChannels,
          onProgress,
          ...more,
        })
      } finally {
        await source.checkpoint.close()
      }
    }
    const converted = join(modelsDir, `${name}-onnx-q8`)
    const weights = join(converted, 'decoder.weights')
    return { checkpointDir, modelsDir, prepare, told, converted, weights }
  }
  const written = async (file: string) => (await stat(file)).ino

  it('converts once and reuses the weights, also for another number of slots', async () => {
    const { prepare, told, weights, modelsDir } = await setUp('reuse')
    await prepare(1)
    expect(told).toEqual(linesOfConversion)
    const first = await written(weights)
    await prepare(1)
    await prepare(3)
    expect(await written(weights)).toBe(first)
    expect(await readdir(modelsDir)).toEqual(['reuse-onnx-q8'])
    expect((await readdir(dirname(weights))).toSorted()).toEqual([
      'decoder-1-slots.onnx',
      'decoder-3-slots.onnx',
      'decoder.weights',
      'embeddings.weights',
      'manifest.json',
      'vision-blocks.onnx',
      'vision-blocks.weights',
      'vision-embedding.onnx',
      'vision-embedding.weights',
      'vision-projector.onnx',
      'vision-projector.weights',
    ])
  })

  it('reuses the weights when only file times changed, and converts anew when bytes did', async () => {
    const { prepare, weights, checkpointDir } = await setUp('changed')
    const shard = join(checkpointDir, 'model-00001-of-00002.safetensors')
    await prepare()
    const first = await written(weights)
    await utimes(shard, new Date(), new Date(0))
    await prepare()
    expect(await written(weights)).toBe(first)
    const bytes = await readFile(shard)
    bytes[bytes.length - 1]! ^= 1
    await writeFile(shard, bytes)
    await utimes(shard, new Date(), new Date(1000))
    await prepare()
    expect(await written(weights)).not.toBe(first)
  })

  it('replaces a folder whose manifest is damaged', async () => {
    const { prepare, weights } = await setUp('damaged')
    await prepare()
    await writeFile(join(dirname(weights), 'manifest.json'), '{"half":')
    await writeFile(weights, 'damaged')
    await prepare()
    expect((await stat(weights)).size).toBeGreaterThan(1_000_000)
  })

  it('replaces a folder that another version made, and says so', async () => {
    const { prepare, told, weights, converted } = await setUp('older')
    await prepare()
    const first = await written(weights)
    const manifest = join(converted, 'manifest.json')
    const text = await readFile(manifest, 'utf8')
    await writeFile(manifest, text.replace(/"converterVersion":\d+/, '"converterVersion":7'))
    told.length = 0
    await prepare()
    const line = `${converted} was made by another version: converting the checkpoint again`
    expect(told[0]).toBe(line)
    expect(told.slice(1)).toEqual(linesOfConversion)
    expect(await written(weights)).not.toBe(first)
    expect(await readFile(manifest, 'utf8')).toBe(text)
  })

  it('leaves the finished folder alone when a later conversion fails', async () => {
    const { prepare, weights, checkpointDir, modelsDir } = await setUp('failing')
    await prepare()
    const first = await written(weights)
    const shard = join(checkpointDir, 'model-00002-of-00002.safetensors')
    const bytes = await readFile(shard)
    bytes.fill(0xff, bytes.length - 64)
    await writeFile(shard, bytes)
    await utimes(shard, new Date(), new Date(1000))
    await expect(prepare()).rejects.toThrow(
      /cannot convert into .*failing-onnx-q8.*: Cannot read .*not a finite number/,
    )
    expect(await written(weights)).toBe(first)
    expect(await readdir(modelsDir)).toEqual(['failing-onnx-q8'])
  })

  it('compares of a divided decoder no weights that the other side reads', async () => {
    const { prepare, told, converted, weights } = await setUp('divided')
    const { signal } = new AbortController()
    const flip = async (file: string, at: (bytes: Buffer) => number) => {
      const bytes = await readFile(file)
      bytes[at(bytes)]! ^= 1
      await writeFile(file, bytes)
    }
    const first = (bytes: Buffer) => bytes.findIndex((byte) => byte !== 0)
    const last = (bytes: Buffer) => bytes.findLastIndex((byte) => byte !== 0)
    await prepare()
    const made = await written(weights)
    await flip(join(converted, 'embeddings.weights'), first)
    await flip(join(converted, 'vision-blocks.weights'), first)
    await flip(weights, last)
    await prepare(1, signal, { cpuLayers: 2 })
    expect(await written(weights)).toBe(made)
    await flip(weights, first)
    await prepare(1, signal, { cpuLayers: 2 })
    expect(told.at(-3)).toMatch(/decoder\.weights is damaged between .*: converting/)

    const device = { layout: 'device', cpuLayers: 2 } as const
    const { decoder } = await prepare(1, signal, device)
    const onDevice = join(dirname(converted), 'divided-onnx-device-q8', 'decoder.weights')
    const madeOnDevice = await written(onDevice)
    const tensors = decoder.layout === 'device' ? externalsOf(decoder.graphs.allExperts.spec) : []
    const { files } = (await readManifest(dirname(onDevice)))!
    const unread = files['decoder.weights']!.parts.find(
      (part) => !tensors.some(({ offset }) => offset === part.offset),
    )
    await flip(onDevice, () => unread!.offset)
    await prepare(1, signal, device)
    expect(await written(onDevice)).toBe(madeOnDevice)
    await flip(onDevice, last)
    await prepare(1, signal, device)
    expect(await written(onDevice)).not.toBe(madeOnDevice)
  })

  it('names the field of config.json that is not supported', async () => {
    const { prepare, checkpointDir } = await setUp('config')
    const file = join(checkpointDir, 'config.json')
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('"n_group": 1', '"n_group": 8'))
    await expect(prepare()).rejects.toThrow('text_config.n_group')
  })

  it.each([
    'decoder.weights',
    'embeddings.weights',
    'vision-blocks.weights',
    'vision-embedding.weights',
    'vision-projector.weights',
  ])(
    'makes %s anew when a byte of it was flipped, when it is short, and when it is missing',
    async (name) => {
      const { prepare, told, converted } = await setUp(`flipped-${name}`)
      const file = join(converted, name)
      await prepare()
      const whole = await readFile(file)
      const flipped = Buffer.from(whole)
      // Zeros may lie between tensors, where nothing reads them.
      flipped[whole.findLastIndex((byte) => byte !== 0)]! ^= 1
      for (const [damage, content] of [
        [/^is damaged between byte \d+ and \d+$/, flipped],
        [
          new RegExp(`^has ${whole.length - 4096} bytes instead of ${whole.length}$`),
          whole.subarray(4096),
        ],
        [/^cannot be read \(ENOENT\)$/, undefined],
      ] as const) {
        await rm(file)
        if (content !== undefined) await writeFile(file, content)
        told.length = 0
        await prepare()
        const [, found] = /^(.*): converting the checkpoint again$/.exec(told[0]!)!
        expect(found!.slice(0, file.length + 1)).toBe(`${file} `)
        expect(found!.slice(file.length + 1)).toMatch(damage)
        expect((await readFile(file)).equals(whole)).toBe(true)
      }
    },
  )

  it('goes on when it was ended in between, and the result is the same', async () => {
    const { prepare, converted, modelsDir, told } = await setUp('ended')
    await prepare()
    const contents = async () => {
      const names = (await readdir(converted)).toSorted()
      return Promise.all(names.map((name) => readFile(join(converted, name))))
    }
    const whole = await contents()
    await rm(converted, { recursive: true })
    const ending = new AbortController()
    const ended = prepare(1, ending.signal)
    const journal = join(`${converted}.partial`, 'conversion.jsonl')
    const linesOf = async () => (await readFile(journal, 'utf8').catch(() => '')).split('\n').length
    const end = async () => {
      while ((await linesOf()) < 20) await setImmediate()
      ending.abort(new Error('enough'))
    }
    await Promise.all([expect(ended).rejects.toThrow('enough'), end()])
    expect(await readdir(modelsDir)).toEqual(['ended-onnx-q8.partial'])
    told.length = 0
    await prepare()
    // All was measured before it was ended.
    expect(told).toEqual(linesOfConversion.slice(1))
    expect((await contents()).map((bytes, i) => bytes.equals(whole[i]!))).not.toContain(false)
    expect(await readdir(modelsDir)).toEqual(['ended-onnx-q8'])
  })

  // Linux has a file that is always full.
  it.skipIf(!existsSync('/dev/full'))(
    'says that the disk is full, and goes on when there is space',
    async () => {
      const { prepare, converted, modelsDir } = await setUp('full')
      const partial = `${converted}.partial`
      await mkdir(partial, { recursive: true })
      await symlink('/dev/full', join(partial, 'embeddings.weights'))
      await expect(prepare()).rejects.toThrow(
        `cannot convert into ${partial}: the disk is full; the next start goes on from here`,
      )
      expect(await readdir(modelsDir)).toEqual(['full-onnx-q8.partial'])
      await rm(join(partial, 'embeddings.weights'))
      const before = (await readFile(join(partial, 'conversion.jsonl'), 'utf8')).split('\n').length
      expect(before).toBeGreaterThan(3)
      await prepare()
      expect(await readdir(modelsDir)).toEqual(['full-onnx-q8'])
    },
  )
})
