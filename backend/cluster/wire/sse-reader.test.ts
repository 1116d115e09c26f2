import { describe, expect, it } from 'vitest'
import { readEvents } from './sse-reader.ts'

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(text: string | Uint8Array, size = 1_000): Promise<string[]> {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
  const events: string[] = []
  for await (const data of readEvents(chunksOf(bytes, size))) events.push(data)
  return events
}

describe('readEvents()', () => {
  it.each([1, 2, 3, 7, 1_000])('reads events in pieces of %i bytes', async (size) => {
    const text =
      ': hello\n\ndata: {"a":"ü"}\n\nevent: x\nid: 1\ndata: one\ndata:two\r\n\r\nretry: 5\n\ndata: [DONE]\n\n'
    expect(await read(text, size)).toEqual(['{"a":"ü"}', 'one\ntwo', '[DONE]'])
  })

  it('drops an event that has no end', async () => {
    expect(await read('data: 1\n\ndata: 2\n')).toEqual(['1'])
  })

  it.each(['<html>\n\n', 'HTTP/1.1 200 OK\n', '{"error":1}\n', 'dat: 1\n'])(
    'refuses %j',
    async (text) => {
      await expect(read(text)).rejects.toMatchObject({ kind: 'broken' })
    },
  )

  it('refuses bytes that are no text', async () => {
    await expect(read(Uint8Array.of(0x64, 0xff, 0x0a))).rejects.toMatchObject({ kind: 'broken' })
  })

  it.each([
    ['a line', `data: ${'x'.repeat(2 ** 20)}`],
    ['an event', `data: ${'x'.repeat(1_000)}\n`.repeat(1_100)],
    ['an event of very many lines', 'data:\ndata: x\n'.repeat(100_000)],
    ['a comment', `:${'x'.repeat(2 ** 20)}`],
  ])('refuses %s without end', async (_what, text) => {
    await expect(read(text, 4_096)).rejects.toMatchObject({ kind: 'broken' })
  })
})
