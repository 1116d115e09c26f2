import { expect, it } from 'vitest'
import { formatEvent, heartbeatText, parseEvents, type ServerSentEvent } from './sse.ts'

async function* chunksOf(text: string, size: number) {
  const bytes = new TextEncoder().encode(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function eventsOf(text: string, size: number) {
  const events: ServerSentEvent[] = []
  for await (const event of parseEvents(chunksOf(text, size))) events.push(event)
  return events
}

it.each([1, 2, 3, 1_000])('reads events in chunks of %i, without their comments', async (size) => {
  const text = formatEvent('delta', { text: 'é\n\n\u{1F600}' })
  const stream = `${heartbeatText}${text}data: a\ndata:b\n\n: end\n\nevent: torn\ndata: x`
  expect(await eventsOf(stream, size)).toEqual([
    { event: 'delta', data: '{"text":"é\\n\\n\u{1F600}"}' },
    { event: 'message', data: 'a\nb' },
  ])
})

it('reads an event of many chunks in linear time', async () => {
  const data = 'x'.repeat(4 * 1024 * 1024)
  const [event] = await eventsOf(`data: ${data}\n\n`, 64)
  expect(event?.data.length).toBe(data.length)
  // Looking at all that came with each chunk takes minutes.
}, 15_000)
