/** Masks are made while a step computes in another thread; the answers are the same. */
import { setImmediate as nextImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { objectOf } from '../../test/support/grammar/grammar-schemas.ts'
import { FakeModel, type FakeModelHooks } from '../../test/support/inference/fake-model.ts'
import { createJob, readAnswer } from '../../test/support/inference/jobs.ts'
import { compileGrammar } from '../grammar/compile/compile-grammar.ts'
import { TokenMasks } from '../grammar/masks/token-masks.ts'
import { Vocabulary } from '../grammar/masks/vocabulary.ts'
import { readTokenizerFile } from '../model/config/tokenizer-file.ts'
import { createEngine } from './engine.ts'
import type { GenerateJob } from './job.ts'

const never = new AbortController().signal
const { tokenBytes, vocabSize } = await readTokenizerFile('models/kimi-vl-nano')
const vocabulary = new Vocabulary(tokenBytes, vocabSize)
const item = objectOf({
  colour: { enum: ['red', 'green'] },
  name: { type: 'string', maxLength: 9 },
})
const schema = JSON.stringify({ type: 'array', items: item, minItems: 2, maxItems: 4 })

/** Event-loop turns of a step that computes elsewhere: enough for all masks. */
const turnsOfStep = 8

function formatJob(changes: Partial<GenerateJob> = {}): GenerateJob {
  return createJob({
    format: compileGrammar({ type: 'json_schema', schema }),
    stopIds: [1025],
    controlIdsFrom: 1024,
    maxTokens: 60,
    sampling: { temperature: 0.9, seed: 5 },
    ...changes,
  })
}

function start(hooks: FakeModelHooks) {
  const model = new FakeModel({ vocabSize, imageTokenId: vocabSize - 1 }, hooks)
  return createEngine({ model, vocabulary, queueLimit: 16, now: () => 0 })
}

/** An engine whose steps take several turns of the event loop, and what happens in which order. */
function startSlow() {
  const order: string[] = []
  // oxlint-disable-next-line typescript/unbound-method -- called with its own object
  const fill = TokenMasks.prototype.fill
  vi.spyOn(TokenMasks.prototype, 'fill').mockImplementation(function (this: TokenMasks, ...args) {
    order.push('mask')
    fill.apply(this, args)
  })
  const engine = start({
    onStep: async (rows) => {
      order.push(`step of ${rows.length}`)
      for (let turn = 0; turn < turnsOfStep; turn++) await nextImmediate()
      order.push('logits')
    },
  })
  return { engine, order }
}

afterEach(() => vi.restoreAllMocks())

describe('masks', () => {
  it('are made before the logits of the step arrive, one for each answer with a grammar', async () => {
    const { engine, order } = startSlow()
    await Promise.all([
      readAnswer(engine.generate(formatJob(), never)),
      readAnswer(engine.generate(formatJob({ sampling: { temperature: 0, seed: 1 } }), never)),
      readAnswer(engine.generate(createJob({ maxTokens: 4, controlIdsFrom: 1024 }), never)),
    ])
    const steps = order
      .join(' ')
      .split(/ ?step of /)
      .slice(1)
    expect(steps.slice(0, 3)).toEqual([
      '3 mask mask logits',
      '3 mask mask logits',
      '3 mask mask logits',
    ])
    for (const step of steps) expect(step).toMatch(/^\d( mask){1,2} logits$/)
  })

  it('leave answers as they are, for several choices too', async () => {
    const jobs = () => [
      formatJob({ id: 'a', choices: 3 }),
      formatJob({ id: 'b', sampling: { temperature: 0, seed: 1 } }),
      formatJob({ id: 'c', maxTokens: 9, topLogprobs: 2 }),
    ]
    const answersOf = (engine: ReturnType<typeof start>) =>
      Promise.all(jobs().map((job) => readAnswer(engine.generate(job, never))))
    const ahead = await answersOf(startSlow().engine)
    expect(ahead).toEqual(await answersOf(start({})))
  })

  it('are not made for an answer that was cancelled meanwhile', async () => {
    const { engine, order } = startSlow()
    const cancel = new AbortController()
    const other = readAnswer(engine.generate(formatJob(), never))
    const events = engine.generate(formatJob(), cancel.signal)
    await expect(
      (async () => {
        for await (const event of events) {
          if (event.type !== 'tokens') continue
          while (!order.at(-1)!.startsWith('step')) await nextImmediate()
          order.length = 0
          cancel.abort()
        }
      })(),
    ).rejects.toMatchObject({ code: 'cancelled' })
    await other
    expect(order.slice(0, 4)).toEqual(['mask', 'logits', 'step of 1', 'mask'])
  })

  it('that cannot be made end only their own answer', async () => {
    const { engine } = startSlow()
    const other = readAnswer(engine.generate(createJob({ controlIdsFrom: 1024 }), never))
    vi.spyOn(TokenMasks.prototype, 'fill').mockImplementation(() => {
      throw new RangeError('broken')
    })
    await expect(readAnswer(engine.generate(formatJob(), never))).rejects.toMatchObject({
      code: 'internal',
    })
    expect((await other).ids).toHaveLength(8)
  })
})
