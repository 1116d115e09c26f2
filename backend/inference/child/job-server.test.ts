import { setImmediate as nextImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { fakeInit } from '../../../test/support/inference/fake-init.ts'
import { FakeModel } from '../../../test/support/inference/fake-model.ts'
import { createJob } from '../../../test/support/inference/jobs.ts'
import { DeviceError } from '../../model/accelerator/accelerator.ts'
import { JobServer } from './job-server.ts'
import type { ToParent } from '../protocol.ts'

function start(model = new FakeModel()) {
  const sent: ToParent[] = []
  const lost: string[] = []
  const server = new JobServer({
    freeBytes: 1e9,
    model,
    settings: fakeInit().engine,
    send: (message) => sent.push(message),
    onLost: (text) => lost.push(text),
  })
  return { server, sent, model, lost }
}

async function drain(): Promise<void> {
  for (let i = 0; i < 5; i++) await nextImmediate()
}

describe('JobServer', () => {
  it('says it is ready, then nothing while idle', async () => {
    const { sent } = start()
    await drain()
    expect(sent.map(({ type }) => type)).toEqual(['ready'])
  })

  it('sends one message per turn, whatever the number of jobs', async () => {
    const { server, sent, model } = start()
    const jobs = [1, 2, 3].map((key) =>
      server.generate(key, createJob({ maxTokens: 10, stopIds: [] })),
    )
    await Promise.all(jobs)
    await drain()
    const updates = sent.filter((message) => message.type === 'update')
    expect(model.steps).toHaveLength(10)
    // One for the three `queued` events, one for each step.
    expect(updates).toHaveLength(11)
    expect(updates[5]!.jobs.map((update) => update.key)).toEqual([1, 2, 3])
  })

  it('sends the counters back at zero with the last event', async () => {
    const { server, sent } = start()
    await server.generate(1, createJob())
    await drain()
    const last = sent.at(-1)!
    const jobs = last.type === 'update' ? last.jobs : []
    expect(jobs.at(-1)).toMatchObject({ event: { type: 'end' } })
    expect(last).toMatchObject({ snapshot: { slotsInUse: 0, queued: 0, cachedTokens: 0 } })
    await drain()
    expect(sent.at(-1)).toBe(last)
  })

  it('sends the error of a job that is refused, and logs what clients may not see', async () => {
    const { server, sent } = start()
    await server.generate(7, createJob({ promptIds: new Int32Array(0) }))
    await drain()
    expect(sent.slice(1)).toMatchObject([
      { type: 'problem', text: expect.stringContaining('at least one token') as string },
      { type: 'update', jobs: [{ key: 7, error: { code: 'internal' } }] },
    ])
  })

  it('announces a call again when it answers during one: the rest may block it', async () => {
    const step = Promise.withResolvers<void>()
    const { server, sent } = start(new FakeModel({}, { onStep: () => step.promise }))
    const job = server.generate(1, createJob())
    await drain()
    expect(server.answerPing()).toBeUndefined()
    expect(sent.slice(-2)).toMatchObject([{ type: 'pong' }, { type: 'busy' }])
    step.resolve()
    await job
    server.answerPing()
    expect(sent.at(-1)).toEqual({ type: 'pong' })
  })

  it('runs on when an announced job does not arrive', async () => {
    const { server, model } = start()
    server.expect(9)
    await server.generate(1, createJob({ maxTokens: 3, stopIds: [] }))
    expect(model.steps).toHaveLength(3)
  })

  it('sends the counters after a cancellation, though no step follows', async () => {
    const { server, sent } = start()
    const job = server.generate(3, createJob({ maxTokens: 100, stopIds: [] }))
    await drain()
    server.cancel(3)
    server.cancel(4)
    await job
    await drain()
    const counters = sent.flatMap((message) =>
      message.type === 'update' ? (message.snapshot ?? []) : [],
    )
    expect(counters.at(-1)).toMatchObject({ slotsInUse: 0, cachedTokens: 0 })
  })
  const fails = () => {
    throw new DeviceError('The graphics card failed: device lost')
  }
  it.each([
    ['a step', { onStep: fails }],
    ['reading logits', { onRow: fails }],
  ])(
    'ends with its device in %s, and leaves it to the restart what jobs are to know',
    async (_, hooks) => {
      const { server, sent, lost } = start(new FakeModel({}, hooks))
      void server.generate(1, createJob())
      await drain()
      expect(lost).toEqual(['The graphics card failed: device lost'])
      expect(JSON.stringify(sent)).not.toContain('error')
    },
  )
})
