import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDescriber, type Describer, type DescribeRequest } from '../../backend/describe.ts'
import { createEngine } from '../../backend/engine/engine.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model } from '../../backend/model/model.ts'
import { createProcessor } from '../../backend/processor/create-processor.ts'
import type { Processor } from '../../backend/processor/processor.ts'
import { createLocalTasks } from '../../backend/processor/tasks/processor-tasks.ts'
import type { SampledLogprob } from '../../shared/api/events.ts'
import type { Sampling } from '../../shared/api/request/sampling-fields.ts'
import { createTestFormats } from '../support/backends/test-formats.ts'
import { nano } from './golden-cases.ts'

const slots = 4
const prompt = 'Describe the picture you would like to see.'

/** One choice of an answer, and the usage of the whole request. */
interface Read {
  readonly texts: string[]
  readonly logprobs: SampledLogprob[][]
  readonly finishReasons: readonly string[]
  readonly completionTokens: number
}

let model: Model
let processor: Processor
let modelsDir: string
let describer: Describer
let engine: ReturnType<typeof createEngine>

beforeAll(async () => {
  modelsDir = await mkdtemp(join(tmpdir(), 'sampling-'))
  model = await loadModel({
    checkpointDir: nano,
    modelsDir,
    weights: 'f32',
    slots,
    threads: 2,
  })
  processor = await createProcessor({ modelFolder: nano, tasks: createLocalTasks(nano) })
  engine = createEngine({ model, queueLimit: 64 })
  const now = () => performance.now()
  describer = createDescriber({
    processor,
    engine,
    formats: createTestFormats(),
    now,
    randomSeed: () => 1,
    defaultMaxTokens: 40,
    reasons: false,
  })
})
afterAll(async () => {
  await engine.close()
  await processor.close()
  await model.close()
  await rm(modelsDir, { recursive: true })
})

async function ask({
  prompt: asked = prompt,
  choices = 1,
  stop = [],
  topLogprobs,
  ...rules
}: Partial<DescribeRequest & Sampling & { prompt: string }>): Promise<Read> {
  const request: DescribeRequest = {
    tenant: 'someone',
    priority: 'interactive',
    timeoutMs: 600_000,
    messages: [{ role: 'user', content: [{ type: 'text', text: asked }] }],
    images: [],
    maxTokens: undefined,
    sampling: { temperature: 0, topP: 1, ...rules },
    choices,
    stop,
    topLogprobs,
  }
  const texts = Array.from({ length: choices }, () => '')
  const logprobs: SampledLogprob[][] = texts.map(() => [])
  for await (const event of describer.describe(request, new AbortController().signal)) {
    if (event.type === 'delta') {
      texts[event.index] += event.text
      logprobs[event.index]!.push(...(event.logprobs ?? []))
    }
    if (event.type !== 'end') continue
    const { endings, usage } = event
    const finishReasons = endings.map(({ reason }) => reason)
    return { texts, logprobs, finishReasons, completionTokens: usage.completion_tokens }
  }
  throw new Error('the answer has no end')
}

/** Hot, because the small model is certain of most of its words. */
const sampled = { temperature: 2, topP: 0.99, topK: 500, minP: 0.0005, seed: 7 }
const rules = { ...sampled, repetitionPenalty: 1.1, presencePenalty: 0.3, frequencyPenalty: 0.2 }

describe('sampling with the real model', () => {
  it('repeats a seed alone and among others, under every rule', async () => {
    const alone = await ask(rules)
    const others = [1, 2, 3, 4, 5].map((seed) => ask({ ...rules, seed, prompt: 'Something else' }))
    const again = ask(rules)
    await Promise.all(others)
    expect(await again).toEqual(alone)
    expect((await ask({ ...rules, seed: 8 })).texts).not.toEqual(alone.texts)
  })

  it('gives three equal greedy choices', async () => {
    const { texts } = await ask({ choices: 3 })
    expect(texts).toEqual([texts[0], texts[0], texts[0]])
    expect(texts[0]).toBe((await ask({})).texts[0])
  })

  it.each([3, 6])(
    'gives %i sampled choices as single requests with their seeds',
    async (choices) => {
      const together = await ask({ ...rules, choices })
      const single = []
      for (let choice = 0; choice < choices; choice++) {
        single.push(await ask({ ...rules, seed: rules.seed + choice }))
      }
      expect(together.texts).toEqual(single.map(({ texts }) => texts[0]))
      expect(new Set(together.texts).size).toBeGreaterThan(1)
      expect(together.finishReasons).toEqual(single.flatMap(({ finishReasons }) => finishReasons))
      const tokens = single.reduce((sum, { completionTokens }) => sum + completionTokens, 0)
      expect(together.completionTokens).toBe(tokens)
    },
  )

  it('cuts at a stop string at every place of an answer', async () => {
    const whole = (await ask({})).texts[0]!
    expect(whole.length).toBeGreaterThan(20)
    for (let at = 0; at + 4 <= whole.length; at++) {
      const stop = whole.slice(at, at + 4)
      const { texts, finishReasons } = await ask({ stop: ['never said', stop] })
      expect(texts).toEqual([whole.slice(0, whole.indexOf(stop))])
      expect(finishReasons).toEqual(['stop'])
    }
    while (engine.snapshot().slotsInUse > 0) await nextImmediate()
  })

  it('stops single choices and lets the others go on', async () => {
    const free = await ask({ ...rules, choices: 6 })
    const parts = free.texts.flatMap((text) => Array.from(text, (_, at) => text.slice(at, at + 4)))
    const stop = parts.find((part) => !free.texts.every((text) => text.includes(part)))!
    const cut = await ask({ ...rules, choices: 6, stop: [stop] })
    expect(cut.texts).toEqual(
      free.texts.map((text) => (text.includes(stop) ? text.slice(0, text.indexOf(stop)) : text)),
    )
  })

  it('returns the log probabilities of the model, whatever the rules', async () => {
    const greedy = await ask({ topLogprobs: 3 })
    for (const { id, logprob, top } of greedy.logprobs[0]!) {
      expect(top[0]).toMatchObject({ id, logprob })
      expect(top.map((other) => other.logprob)).toEqual(
        top.map((other) => other.logprob).toSorted((a, b) => b - a),
      )
      expect(top.reduce((sum, other) => sum + Math.exp(other.logprob), 0)).toBeLessThan(1.000_001)
    }
    expect(greedy.logprobs[0]!.map(({ token }) => token).join('')).toBe(greedy.texts[0])
    // The first token is judged by the same logits, whichever is drawn.
    const drawn = await ask({ ...rules, topLogprobs: 3 })
    expect(drawn.logprobs[0]![0]!.top).toEqual(greedy.logprobs[0]![0]!.top)
  })
})
