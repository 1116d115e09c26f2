import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomValues } from '../../test/support/write-checkpoint.ts'
import { bytesOf } from './weight-source.ts'
import { digestPartBytes, WeightsFile } from './weights-file.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weights-file-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Bytes of two parts and a bit, and where they are cut. */
const content = bytesOf(randomValues((2 * digestPartBytes + 4_000_000) / 4, 1))
const cuts = [0, 5, 1_000_000, digestPartBytes, 20_000_000, 36_000_000, content.length]

async function write(order: readonly number[]) {
  const name = join(folder, order.join('-'))
  const file = await WeightsFile.create(name)
  for (const piece of order) {
    await file.write(cuts[piece]!, content.subarray(cuts[piece], cuts[piece + 1]))
  }
  const digest = await file.finish()
  await file.close()
  return { digest, bytes: await readFile(name) }
}

describe('WeightsFile', () => {
  const sha256 = (from: number, to?: number) =>
    createHash('sha256').update(content.subarray(from, to)).digest('hex')

  it.each([[[0, 1, 2, 3, 4, 5]], [[5, 4, 3, 2, 1, 0]], [[1, 0, 5, 3, 4, 2]]])(
    'digests parts in the order of the file, pieces written in the order %j',
    async (order) => {
      const { digest, bytes } = await write(order)
      expect(bytes.equals(content)).toBe(true)
      expect(digest).toEqual({
        bytes: content.length,
        parts: [
          sha256(0, digestPartBytes),
          sha256(digestPartBytes, 2 * digestPartBytes),
          sha256(2 * digestPartBytes),
        ],
      })
    },
  )

  it('has a digest for each part of a file that ends with one, and none for an empty file', async () => {
    const file = await WeightsFile.create(join(folder, 'whole'))
    await file.write(0, content.subarray(0, digestPartBytes))
    expect((await file.finish()).parts).toEqual([sha256(0, digestPartBytes)])
    await file.close()
    const empty = await WeightsFile.create(join(folder, 'empty'))
    expect(await empty.finish()).toEqual({ bytes: 0, parts: [] })
    await empty.close()
  })

  it('refuses bytes written twice, and a file with a gap', async () => {
    const file = await WeightsFile.create(join(folder, 'gap'))
    await file.write(0, content.subarray(0, 10))
    await expect(file.write(5, content.subarray(0, 10))).rejects.toThrow('Byte 5 is written twice')
    await file.write(20, content.subarray(20, 30))
    await expect(file.finish()).rejects.toThrow('Byte 10 was never written')
    await file.close()
  })
})
