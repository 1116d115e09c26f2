import { afterEach, describe, expect, it } from 'vitest'
import {
  startEngineStandIn,
  type EngineStandIn,
} from '../../test/support/engines/engine-stand-in.ts'
import { question, startTestCluster } from '../../test/support/engines/test-cluster.ts'
import type { AnswerSource, StandInEvent, StandInKind } from '../../test/support/engines/wire.ts'
import type { GenerationEvent } from '../../shared/api/events.ts'
import type { DescribeRequest } from '../describe.ts'

const started: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of started.splice(0).toReversed()) await each.stop()
})

/** Says these parts, each a token, to every request. */
function saying(parts: readonly { thought?: string; text: string }[], thoughtTokens?: number) {
  const source: AnswerSource = async function* (body) {
    let tokens = 0
    for (const { thought, text } of parts) {
      tokens += 1
      const logprobs = [{ id: tokens, logprob: -1, top: [] }]
      for (let choice = 0; choice < body.n; choice++) {
        const part = { type: 'text', choice, text, tokens } as const
        const told = body.logprobs === true && { logprobs }
        yield { ...part, ...(thought !== undefined && { thought }), ...told } satisfies StandInEvent
      }
    }
    yield {
      type: 'end',
      endings: Array.from({ length: body.n }, () => ({ reason: 'stop' })),
      promptTokens: 10,
      cachedTokens: 0,
      completionTokens: body.n * tokens,
      ...(thoughtTokens !== undefined && { thoughtTokens }),
    }
  }
  return source
}

interface Ask extends Partial<DescribeRequest> {
  readonly reasons: boolean
  readonly kind?: StandInKind
}

/** What an engine that says this leads to. */
async function answerOf(source: AnswerSource, { reasons, kind = 'vllm', ...changes }: Ask) {
  const engine: EngineStandIn = await startEngineStandIn({ kind, answer: source })
  const cluster = await startTestCluster({ urls: [engine.url], reasons })
  started.push({ stop: () => engine.stop() }, { stop: () => cluster.close() })
  await cluster.readyOnce
  const [thoughts, texts, told]: [string[], string[], string[]] = [[], [], []]
  let end: Extract<GenerationEvent, { type: 'end' }> | undefined
  const signal = new AbortController().signal
  for await (const event of cluster.describer.describe(question(changes), signal)) {
    if (event.type === 'reasoning')
      thoughts[event.index] = (thoughts[event.index] ?? '') + event.text
    if (event.type === 'delta') {
      texts[event.index] = (texts[event.index] ?? '') + event.text
      told.push(...(event.logprobs ?? []).map(({ id }) => String(id)))
    }
    if (event.type === 'end') end = event
  }
  return { thoughts, texts, told, end, body: engine.bodies.at(-1) }
}

const apart = [
  { thought: 'It is', text: '' },
  { thought: ' red.', text: '' },
  { text: 'Red' },
  { text: '.' },
]
const inText = ['◁think', '▷It is red', '.◁/th', 'ink▷\n', 'Red', '.'].map((text) => ({ text }))

describe('thoughts of an engine elsewhere', () => {
  it.each([
    ['vllm', 2, 2],
    ['sglang', 2, 2],
    // Those that do not count thoughts have them counted by the little model's tokenizer, up to the whole answer.
    ['llama-server', undefined, 4],
    ['other', undefined, 4],
  ] as const)(
    'are passed on as %s keeps them apart, whatever the model is',
    async (kind, counted, expected) => {
      for (const reasons of [false, true]) {
        const { thoughts, texts, end } = await answerOf(saying(apart, counted), { reasons, kind })
        expect([thoughts, texts]).toEqual([['It is red.'], ['Red.']])
        expect(end?.usage.completion_tokens).toBe(4)
        expect(end?.usage.reasoning_tokens).toBe(expected)
      }
    },
  )

  it('are found in the text of an engine that does not keep them apart', async () => {
    const { thoughts, texts, end } = await answerOf(saying(inText), { reasons: true, choices: 2 })
    expect(thoughts).toEqual(['It is red.', 'It is red.'])
    expect(texts).toEqual(['Red.', 'Red.'])
    expect(end?.usage.reasoning_tokens).toBeGreaterThan(0)
  })

  it('are not looked for in the text of a model that does not think', async () => {
    const { thoughts, texts, end } = await answerOf(saying(inText), { reasons: false })
    expect([thoughts, texts]).toEqual([[], ['◁think▷It is red.◁/think▷\nRed.']])
    expect(end?.usage).not.toHaveProperty('reasoning_tokens')
  })

  it.each([
    ['apart', apart, ['3', '4']],
    ['in the text', inText, ['5', '6']],
  ])('have no log probabilities where they come %s', async (_how, parts, ids) => {
    const { told } = await answerOf(saying(parts), { reasons: true, topLogprobs: 0 })
    expect(told).toEqual(ids)
  })

  it('are not searched for stop texts, which the engine does not get', async () => {
    const stop = ['red', 'ed']
    for (const parts of [apart, inText]) {
      const { thoughts, texts, end, body } = await answerOf(saying(parts), { reasons: true, stop })
      expect([thoughts, texts]).toEqual([['It is red.'], ['R']])
      expect(end?.endings).toEqual([{ reason: 'stop', stopText: 'ed' }])
      expect(body?.stop).toBeUndefined()
    }
  })

  it('of earlier turns are not sent', async () => {
    const say = (text: string) => [{ type: 'text', text }] as const
    const { body } = await answerOf(saying(apart), {
      reasons: true,
      messages: [
        { role: 'user', content: say('Which?') },
        { role: 'assistant', content: say('◁think▷Hm.◁/think▷Red.') },
        { role: 'user', content: say('Sure?') },
      ],
    })
    expect(body?.messages[1]).toEqual({ role: 'assistant', content: 'Red.' })
  })
})
