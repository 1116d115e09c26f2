import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  randomValues,
  safetensorsBytes,
  type TestTensor,
} from '../../test/support/model/write-checkpoint.ts'
import { openCheckpoint } from './checkpoint.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkpoint-'))
})
afterEach(() => rm(folder, { recursive: true }))

const tensor = (dims: readonly number[], seed = 1): TestTensor => ({
  dims,
  values: randomValues(
    dims.reduce((product, n) => product * n, 1),
    seed,
  ),
})
const write = (name: string, content: string | Uint8Array) => writeFile(join(folder, name), content)
const writeIndex = (weightMap: Record<string, string>) =>
  write('model.safetensors.index.json', JSON.stringify({ weight_map: weightMap }))

describe('openCheckpoint()', () => {
  it('reads rows of float32, bfloat16 and float16 tensors', async () => {
    const tensors = new Map([
      ['a', tensor([4, 3], 1)],
      ['b', tensor([5, 2, 2], 2)],
      ['c', tensor([7], 3)],
    ])
    const types = { a: 'F32', b: 'BF16', c: 'F16' } as const
    await write(
      'model.safetensors',
      safetensorsBytes(tensors, (name) => types[name as 'a']),
    )
    const checkpoint = await openCheckpoint(folder)
    for (const [name, precision] of [
      ['a', 0],
      ['b', 2 ** -7],
      ['c', 2 ** -10],
    ] as const) {
      const { dims, values } = tensors.get(name)!
      const width = values.length / dims[0]!
      const rows = await checkpoint.tensor(name).readRows(1, 2)
      rows.forEach((value, i) => {
        const expected = values[width + i]!
        expect(Math.abs(value - expected)).toBeLessThanOrEqual(precision * Math.abs(expected))
      })
    }
    expect(checkpoint.shapes.get('b')).toEqual([5, 2, 2])
    await checkpoint.close()
  })

  it('widens every float16 exactly', async () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x03ff, 0x7bff, 0x8000, 0x7c00)
    const header = JSON.stringify({ h: { dtype: 'F16', shape: [7], data_offsets: [0, 14] } })
    const prefix = Buffer.alloc(8)
    prefix.writeBigUInt64LE(BigInt(header.length))
    const bytes = Buffer.concat([prefix, Buffer.from(header), Buffer.from(halves.buffer)])
    await write('model.safetensors', bytes)
    const checkpoint = await openCheckpoint(folder)
    expect([...(await checkpoint.tensor('h').readRows(0, 7))]).toEqual([
      1,
      -2,
      2 ** -24,
      1023 * 2 ** -24,
      65504,
      -0,
      Infinity,
    ])
    await checkpoint.close()
  })

  it('follows the index over several shards', async () => {
    await write('one.safetensors', safetensorsBytes(new Map([['a', tensor([2, 2])]])))
    await write('two.safetensors', safetensorsBytes(new Map([['b', tensor([3])]])))
    await writeIndex({ a: 'one.safetensors', b: 'two.safetensors' })
    const checkpoint = await openCheckpoint(folder)
    expect([...checkpoint.shapes.keys()]).toEqual(['a', 'b'])
    await checkpoint.close()
  })

  it('names a tensor that the index places in a shard without it', async () => {
    await write('one.safetensors', safetensorsBytes(new Map([['a', tensor([2])]])))
    await writeIndex({ a: 'one.safetensors', lost: 'one.safetensors' })
    await expect(openCheckpoint(folder)).rejects.toThrow('one.safetensors lacks lost')
  })

  it('recognises a Git LFS pointer', async () => {
    await write(
      'model.safetensors',
      `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 33\n`,
    )
    await expect(openCheckpoint(folder)).rejects.toThrow(
      'model.safetensors is a Git LFS pointer instead of the file itself: run "git lfs pull"',
    )
  })

  it('names a tensor that no index entry accounts for', async () => {
    const tensors = new Map([
      ['a', tensor([2])],
      ['stray', tensor([2])],
    ])
    await write('one.safetensors', safetensorsBytes(tensors))
    await writeIndex({ a: 'one.safetensors' })
    await expect(openCheckpoint(folder)).rejects.toThrow('one.safetensors holds stray')
  })

  it('refuses a shard outside the folder', async () => {
    await writeIndex({ a: '../one.safetensors' })
    await expect(openCheckpoint(folder)).rejects.toThrow('index.json is missing or malformed')
  })

  it('names a shard that is a folder', async () => {
    await mkdir(join(folder, 'one.safetensors'))
    await writeIndex({ a: 'one.safetensors' })
    await expect(openCheckpoint(folder)).rejects.toThrow(
      `${join(folder, 'one.safetensors')} is not a file: download or copy it again`,
    )
  })

  it('names a missing shard', async () => {
    await writeIndex({ a: 'gone.safetensors' })
    await expect(openCheckpoint(folder)).rejects.toThrow('gone.safetensors cannot be opened')
  })

  it.each([
    [
      'a truncated file',
      (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 1),
      'does not fit',
    ],
    ['a file of three bytes', (bytes: Uint8Array) => bytes.subarray(0, 3), 'ends early'],
    ['a lying header length', (bytes: Uint8Array) => bytes.with(6, 255), 'its header claims'],
    ['a header that is not JSON', (bytes: Uint8Array) => bytes.with(8, 0x5b), 'is not JSON'],
  ])('refuses %s', async (_, damage, message) => {
    await write('model.safetensors', damage(safetensorsBytes(new Map([['a', tensor([4, 4])]]))))
    await expect(openCheckpoint(folder)).rejects.toThrow(message)
  })

  it('refuses integers as weights', async () => {
    const bytes = safetensorsBytes(new Map([['a', tensor([4])]]))
    await write('model.safetensors', bytes)
    const text = (await readFile(join(folder, 'model.safetensors'))).toString('latin1')
    await write('model.safetensors', Buffer.from(text.replace('"F32"', '"I32"'), 'latin1'))
    const checkpoint = await openCheckpoint(folder)
    expect(() => checkpoint.tensor('a')).toThrow('a has type I32')
    expect(() => checkpoint.tensor('b')).toThrow('no tensor b')
    await checkpoint.close()
  })
})
