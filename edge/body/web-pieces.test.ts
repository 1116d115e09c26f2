import type { UnderlyingByteSource } from 'node:stream/web'
import { describe, expect, it } from 'vitest'
import { joinChunks } from '../../shared/bytes/join-chunks.ts'
import { piecesOf } from './web-pieces.ts'

/** A byte stream that delivers `whole` in chunks of `size` and records whether it was cancelled. */
function streamOf(whole: Uint8Array, size: number) {
  const seen = { cancelled: false }
  let at = 0
  const source: UnderlyingByteSource = {
    type: 'bytes',
    pull(controller) {
      if (at < whole.length) controller.enqueue(whole.slice(at, at + size))
      else {
        controller.close()
        controller.byobRequest?.respond(0)
      }
      at += size
    },
    cancel() {
      seen.cancelled = true
    },
  }
  return { stream: new ReadableStream(source), seen }
}

const bytes = Uint8Array.from({ length: 800_000 }, (_, at) => at % 251)

describe('piecesOf()', () => {
  it('makes large pieces of small ones, the last one as large as the rest', async () => {
    const pieces: Uint8Array[] = []
    // Copied, since all of them share one buffer.
    for await (const piece of piecesOf(streamOf(bytes, 1_000).stream)) pieces.push(piece.slice())
    expect(pieces.map(({ length }) => length)).toEqual([262_144, 262_144, 262_144, 13_568])
    expect(Buffer.compare(joinChunks(pieces), bytes)).toBe(0)
  })

  it('ends at once with an empty stream', async () => {
    const { stream } = streamOf(new Uint8Array(), 1)
    for await (const piece of piecesOf(stream)) expect(piece).toBeUndefined()
  })

  it('cancels a stream that is not wanted to its end', async () => {
    const { stream, seen } = streamOf(bytes, 10_000)
    for await (const piece of piecesOf(stream)) {
      expect(piece).toHaveLength(262_144)
      break
    }
    expect(seen.cancelled).toBe(true)
  })
})
