import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomValues } from '../../test/support/model/write-checkpoint.ts'
import { checksumOf } from './checksum.ts'
import { GraphBuilder } from './graph-builder.ts'
import { bytesOf } from './weight-source.ts'
import { checksumPartBytes, WeightsFile } from './weights-file.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weights-file-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Bytes of two parts and a bit, and where they are cut. */
const content = bytesOf(randomValues((2 * checksumPartBytes + 4_000_000) / 4, 1))
const cuts = [0, 5, 1_000_000, checksumPartBytes, 20_000_000, 36_000_000, content.length]
const small = Uint8Array.of(1, 2, 3)

/** A graph with `content`, written in the order given, after three other bytes. */
function buildGraph(order: readonly number[]) {
  const g = new GraphBuilder('graph')
  const first = g.external('first', 'uint8', [small.length])
  const second = g.external('second', 'uint8', [content.length])
  g.fill('second', async (write) => {
    for (const piece of order) {
      await write(second, cuts[piece]!, content.subarray(cuts[piece], cuts[piece + 1]))
    }
  })
  g.fill('first', (write) => write(first, 0, small))
  return g.build()
}

describe('WeightsFile', () => {
  it('lets several writers fill it in any order, with checksums of what each wrote', async () => {
    const graph = buildGraph([0, 1, 2, 3, 4, 5])
    const name = join(folder, 'shared')
    const [one, other] = [await WeightsFile.open(name, graph), await WeightsFile.open(name, graph)]
    const { signal } = new AbortController()
    const [second, first] = await Promise.all([
      one.run(graph.fills[0]!, signal),
      other.run(graph.fills[1]!, signal),
    ])
    await Promise.all([one.close(), other.close()])
    const bytes = await readFile(name)
    expect(bytes).toHaveLength(graph.weightBytes)
    expect(bytes.subarray(0, 3)).toEqual(Buffer.from(small))
    const start = graph.weightBytes - content.length
    expect(bytes.subarray(start).equals(content)).toBe(true)
    expect(first).toEqual([{ offset: 0, bytes: 3, checksum: checksumOf(small) }])
    expect(second).toEqual(
      [0, 1, 2].map((part) => {
        const piece = content.subarray(part * checksumPartBytes, (part + 1) * checksumPartBytes)
        const offset = start + part * checksumPartBytes
        return { offset, bytes: piece.length, checksum: checksumOf(piece) }
      }),
    )
  })

  it.each([
    ['in another order', [0, 2], 'Cannot write /second: Byte 1000000 of /second comes after 5'],
    ['twice', [0, 0], 'Cannot write /second: Byte 0 of /second comes after 5'],
    ['in part', [0, 1], '/second: 1000000 of 37554432 bytes written'],
  ])('refuses a fill that writes a tensor %s', async (_, order, problem) => {
    const graph = buildGraph(order)
    const file = await WeightsFile.open(join(folder, 'refused'), graph)
    await expect(file.run(graph.fills[0]!)).rejects.toThrow(problem)
    await file.close()
  })
})
