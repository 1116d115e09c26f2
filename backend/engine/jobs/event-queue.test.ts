import { describe, expect, it } from 'vitest'
import type { EngineEvent } from '../job.ts'
import { EventQueue } from './event-queue.ts'

const end: EngineEvent = {
  type: 'end',
  finishReasons: ['stop'],
  cachedTokens: 0,
  completionTokens: 3,
  timings: { queueMs: 0, visionMs: 0, prefillMs: 0, decodeMs: 0 },
}

async function readAll(queue: EventQueue): Promise<EngineEvent[]> {
  const events: EngineEvent[] = []
  for await (const event of queue.read()) events.push(event)
  return events
}

describe('EventQueue', () => {
  it('joins tokens that nobody has read yet', async () => {
    const queue = new EventQueue()
    queue.push({ type: 'tokens', choice: 0, ids: [1] })
    queue.push({ type: 'tokens', choice: 0, ids: [2, 3] })
    queue.push(end)
    expect(await readAll(queue)).toEqual([{ type: 'tokens', choice: 0, ids: [1, 2, 3] }, end])
  })

  it('never changes an event that was read', async () => {
    const queue = new EventQueue()
    const reader = queue.read()
    queue.push({ type: 'tokens', choice: 0, ids: [1] })
    const first = await reader.next()
    queue.push({ type: 'tokens', choice: 0, ids: [2] })
    expect(first.value).toEqual({ type: 'tokens', choice: 0, ids: [1] })
    expect((await reader.next()).value).toEqual({ type: 'tokens', choice: 0, ids: [2] })
  })

  it('wakes a reader that waits', async () => {
    const queue = new EventQueue()
    const events = readAll(queue)
    await Promise.resolve()
    queue.push(end)
    expect(await events).toEqual([end])
  })

  it('yields what is pending before it throws', async () => {
    const queue = new EventQueue()
    const reader = queue.read()
    queue.push({ type: 'tokens', choice: 0, ids: [1] })
    queue.fail(new Error('gone'))
    expect((await reader.next()).done).toBe(false)
    await expect(reader.next()).rejects.toThrow('gone')
  })

  it('drops everything after the end, and everything after a failure', async () => {
    const ended = new EventQueue()
    ended.push(end)
    ended.fail(new Error('late'))
    ended.push(end)
    expect(await readAll(ended)).toEqual([end])
    const failed = new EventQueue()
    failed.fail(new Error('first'))
    failed.fail(new Error('second'))
    failed.push(end)
    await expect(readAll(failed)).rejects.toThrow('first')
  })
})
