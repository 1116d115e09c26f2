import { describe, expect, it } from 'vitest'
import type { GenerationEvent } from '../shared/api/events.ts'
import { FakeEngine, FakeProcessor } from '../test/support/backends/test-backend.ts'
import { createTestFormats } from '../test/support/backends/test-formats.ts'
import { createDescriber, type DescribeRequest } from './describe.ts'

const request: DescribeRequest = {
  tenant: 'key_1',
  priority: 'interactive',
  timeoutMs: 60_000,
  messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }] }],
  images: [],
  stop: [],
  choices: 1,
  topLogprobs: undefined,
  maxTokens: undefined,
  sampling: { temperature: 0.7, topP: 0.9 },
}

function setUp({ reasons = false } = {}) {
  const processor = new FakeProcessor()
  const engine = new FakeEngine()
  let clock = 0
  const now = () => (clock += 10.04)
  const describer = createDescriber({
    processor,
    engine,
    formats: createTestFormats(),
    now,
    randomSeed: () => 42,
    defaultMaxTokens: 100,
    reasons,
  })
  const ask = async (change: Partial<DescribeRequest>, signal = new AbortController().signal) => {
    const events: GenerationEvent[] = []
    for await (const event of describer.describe({ ...request, ...change }, signal))
      events.push(event)
    return events
  }
  return { processor, engine, ask }
}

describe('describe()', () => {
  it('yields a delta for each batch that has text, then usage and timings', async () => {
    const { ask } = setUp()
    expect(await ask({})).toEqual([
      { type: 'queued', position: 0, promptTokens: 7, imageTokens: 0 },
      { type: 'delta', index: 0, text: 'A red' },
      { type: 'delta', index: 0, text: ' circle' },
      { type: 'delta', index: 0, text: '.' },
      {
        type: 'end',
        endings: [{ reason: 'stop' }],
        usage: { prompt_tokens: 7, image_tokens: 0, completion_tokens: 4, cached_tokens: 0 },
        timings: {
          prepare_ms: 10,
          queue_ms: 1,
          vision_ms: 2,
          prefill_ms: 3,
          decode_ms: 4,
          total_ms: 20.1,
        },
      },
    ])
  })

  it('gives out what the detokenizer held back before the end', async () => {
    const { engine, ask } = setUp()
    engine.batches = ['Hi', '\0']
    const texts = (await ask({})).flatMap((event) => (event.type === 'delta' ? [event.text] : []))
    expect(texts).toEqual(['Hi', '\uFFFD'])
  })

  it('hands the conversation and its images to the processor as they are', async () => {
    const { processor, ask } = setUp()
    const images = [Uint8Array.of(1), Uint8Array.of(2)]
    const messages = [
      { role: 'system', content: [{ type: 'text', text: 'Be brief' }] },
      { role: 'user', content: [{ type: 'text', text: 'This' }, { type: 'image' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'A cat' }] },
      { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'And this?' }] },
    ] as const
    await ask({ messages, images })
    expect(processor.prepared).toEqual([{ images, messages }])
  })

  it('reports what ended each choice: a stop string, its length or the context', async () => {
    const { engine, ask } = setUp()
    const endOf = async (change: Partial<DescribeRequest>) => {
      const end = (await ask(change)).at(-1)
      return end?.type === 'end' ? end.endings : undefined
    }
    const promptTokens = async () => {
      await ask({})
      return engine.jobs.at(-1)!.promptIds.length
    }
    const stop = ['circle']
    expect(await endOf({ stop })).toEqual([{ reason: 'stop', stopText: 'circle' }])
    engine.finishReason = 'length'
    expect(await endOf({ maxTokens: 13 })).toEqual([{ reason: 'length' }])
    expect(await endOf({ maxTokens: 14, choices: 2 })).toEqual([
      { reason: 'length', contextFull: true },
      { reason: 'length', contextFull: true },
    ])
    // What the caller's limits leave for prompt and answers.
    const granted = (await promptTokens()) + 2 * 13
    const twoOf = { maxTokens: 14, choices: 2 }
    expect(await endOf({ ...twoOf, grantedTokens: granted })).toEqual([
      { reason: 'length' },
      { reason: 'length' },
    ])
    expect(await endOf({ ...twoOf, grantedTokens: granted + 1 })).toContainEqual({
      reason: 'length',
      contextFull: true,
    })
  })

  it('fills in the default length and a random seed', async () => {
    const { engine, ask } = setUp()
    await ask({})
    await ask({ maxTokens: 5, sampling: { seed: 7, temperature: 0, topP: 1 } })
    expect(engine.jobs.map(({ maxTokens, sampling }) => ({ maxTokens, sampling }))).toEqual([
      { maxTokens: 100, sampling: { temperature: 0.7, topP: 0.9, seed: 42 } },
      { maxTokens: 5, sampling: { temperature: 0, topP: 1, seed: 7 } },
    ])
  })

  it.each([
    [{ choices: 8, maxTokens: 8_000, topLogprobs: 20 }, '1344000'],
    [{ choices: 8, maxTokens: undefined, topLogprobs: 250 }, '200800'],
    [{ maxTokens: 200_001, topLogprobs: 0 }, '200001'],
  ])(
    'refuses answers with too many log probabilities before they begin: %o',
    async (change, told) => {
      const { processor, ask } = setUp()
      await expect(ask(change)).rejects.toMatchObject({
        code: 'invalid_field',
        param: 'max_tokens',
        message: expect.stringMatching(new RegExp(`is ${told}, .* 200000 `)) as string,
      })
      expect(processor.prepared).toEqual([])
    },
  )

  it('takes as many log probabilities as are allowed, and any answer without them', async () => {
    const { ask } = setUp()
    for (const change of [
      { maxTokens: 200_000, topLogprobs: 0 },
      { choices: 8, maxTokens: 1e9 },
    ]) {
      expect((await ask(change)).at(-1)).toMatchObject({ type: 'end' })
    }
  })

  it('ends the engine’s job when its reader leaves', async () => {
    const { engine, ask } = setUp()
    const leaving = new AbortController()
    engine.beforeBatch = (index) =>
      index === 0 ? Promise.resolve() : new Promise(() => leaving.abort())
    await expect(ask({}, leaving.signal)).rejects.toMatchObject({ code: 'cancelled' })
    expect(engine.running.size).toBe(0)
  })

  it('keeps what the model thinks apart, and drops it from earlier turns', async () => {
    const { engine, processor, ask } = setUp({ reasons: true })
    engine.batches = ['◁think▷Hm', '.◁/think', '▷Red', '.']
    const say = (text: string) => ({ type: 'text', text }) as const
    const earlier = { role: 'assistant', content: [say('◁think▷Oh.◁/think▷Blue.')] } as const
    const events = await ask({ messages: [...request.messages, earlier, ...request.messages] })
    expect(events.slice(1, -1)).toEqual([
      { type: 'reasoning', index: 0, text: 'Hm' },
      { type: 'reasoning', index: 0, text: '.' },
      { type: 'delta', index: 0, text: 'Red' },
      { type: 'delta', index: 0, text: '.' },
    ])
    expect(events.at(-1)).toMatchObject({ usage: { reasoning_tokens: 18 } })
    expect(processor.prepared[0]?.messages[1]).toEqual({
      role: 'assistant',
      content: [say('Blue.')],
    })
  })

  it('passes on every text of a model that does not think', async () => {
    const { engine, ask } = setUp()
    engine.batches = ['◁think▷Hm.', '◁/think▷Red.']
    const events = await ask({})
    expect(events.slice(1, -1)).toEqual([
      { type: 'delta', index: 0, text: '◁think▷Hm.' },
      { type: 'delta', index: 0, text: '◁/think▷Red.' },
    ])
    expect(events.at(-1)).not.toHaveProperty('usage.reasoning_tokens')
  })

  it('has a model think before an answer of a required form, or when its thought is limited', async () => {
    const { engine, ask } = setUp({ reasons: true })
    await ask({ format: { type: 'json_object' } })
    await ask({})
    await ask({ thoughtTokens: 30 })
    const marks = { begin: [], end: [] }
    expect(engine.jobs.map(({ thought }) => thought)).toEqual([marks, undefined, marks])
    expect(engine.jobs.map((job) => job.thoughtTokens)).toEqual([undefined, undefined, 30])
  })

  it('has no model think that does not', async () => {
    const { engine, ask } = setUp()
    await ask({ thoughtTokens: 30 })
    expect(engine.jobs.map(({ thought }) => thought)).toEqual([undefined])
  })
})
