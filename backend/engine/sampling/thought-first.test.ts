import { describe, expect, it } from 'vitest'
import { objectOf } from '../../../test/support/grammar/grammar-schemas.ts'
import { faultOf, prepare } from '../../../test/support/grammar/grammar-walks.ts'
import { validatorOf } from '../../../test/support/test-ajv.ts'
import { Constraint } from '../../grammar/constraint.ts'
import { Vocabulary } from '../../grammar/masks/vocabulary.ts'
import { readTokenizerFile } from '../../model/config/tokenizer-file.ts'
import { thoughtMarks } from '../../model/config/variant.ts'
import { createRandom } from './random.ts'
import { createSampler } from './sampler.ts'
import { ThoughtFirst, type AnswerRule } from './thought-first.ts'
import { AnyText } from './token-rule.ts'

const { tokenBytes, vocabSize, baseVocabulary, specialTokens } =
  await readTokenizerFile('models/kimi-vl-nano')
const vocabulary = new Vocabulary(tokenBytes, vocabSize)
const stopId = specialTokens.get('<|im_end|>')!
const idsOf = (text: string) => vocabulary.tokensOf(Buffer.from(text))
const marks = { begin: idsOf(thoughtMarks.begin), end: idsOf(thoughtMarks.end) }

const schema = objectOf({ colour: { enum: ['red', 'blue'] } })
const grammar = prepare(schema, vocabulary)
const leastTokens = new Constraint(grammar, [stopId]).leastTokens

/** What the model wants to write next, after so many tokens; any token where that is undefined. */
type Wish = (tokens: number) => number | undefined

/** An answer by a model that says anything but what it wants to say. */
function answer(
  maxTokens: number,
  seed: number,
  wish: Wish = () => undefined,
  more: { readonly thoughtTokens?: number; readonly rule?: AnswerRule } = {},
) {
  const { thoughtTokens, rule = new Constraint(grammar, [stopId]) } = more
  const parts = { marks, vocabulary, answer: rule, controlIdsFrom: baseVocabulary, thoughtTokens }
  const job = {
    promptIds: new Int32Array(),
    stopIds: [stopId],
    controlIdsFrom: baseVocabulary,
    sampling: { temperature: 1, seed },
    topLogprobs: 1,
  }
  const info = { imageTokenId: -1, vocabSize }
  const sampler = createSampler(job, 0, info, new ThoughtFirst(parts))
  const random = createRandom(seed)
  const bytes: Uint8Array[] = []
  for (let tokens = 1; tokens <= maxTokens; tokens++) {
    const logits = Float32Array.from({ length: vocabSize }, () => random())
    logits[wish(tokens - 1) ?? 0] = 100
    const { id, end, logprobs } = sampler.pick(logits, maxTokens - tokens + 1)
    if (id === stopId) break
    expect(logprobs?.id).toBe(id)
    bytes.push(vocabulary.bytesOf(id))
    if (end === 'must') break
  }
  const text = Buffer.concat(bytes).toString()
  const { begin, end } = thoughtMarks
  expect(text.startsWith(begin.slice(0, maxTokens > marks.begin.length ? undefined : 1))).toBe(true)
  const [thought = '', json] = text.slice(begin.length).split(end)
  return { thought, json: json?.trimStart(), tokens: bytes.length }
}

const isValid = (json: string | undefined) =>
  json !== undefined && faultOf(Buffer.from(json), validatorOf(schema)) === undefined

/** Wishes to write a text in its usual tokens, once the first mark is there. */
const writing = (text: string): Wish => {
  const ids = [...marks.begin, ...idsOf(text)]
  return (tokens) => ids[tokens]
}

describe('ThoughtFirst', () => {
  it('leaves the thought to the model, and the answer to its rule', () => {
    const { thought, json } = answer(300, 1, writing('It is red. ◁/think▷\n{"colour":"red"}'))
    expect(thought).toBe('It is red. ')
    expect(json).toBe('{"colour":"red"}')
  })

  it('lets no stop token end the thought', () => {
    const { json, tokens } = answer(60, 2, (at) => (at < 50 ? stopId : undefined))
    expect(isValid(json)).toBe(true)
    expect(tokens).toBeGreaterThan(30)
  })

  it('ends a thought that does not end, in time for an answer', () => {
    const least = marks.begin.length + marks.end.length + leastTokens
    for (const maxTokens of [least, least + 1, least + 7, 200]) {
      for (let seed = 0; seed < 5; seed++) {
        const { json, tokens } = answer(maxTokens, seed)
        expect([maxTokens, json, isValid(json)]).toEqual([maxTokens, json, true])
        expect(tokens).toBeLessThanOrEqual(maxTokens)
      }
    }
  })

  it('thinks on where no answer would fit', () => {
    const { json, tokens } = answer(marks.begin.length + 2, 3)
    expect(json).toBeUndefined()
    expect(tokens).toBe(marks.begin.length + 2)
  })

  it('ends a thought when its tokens are used up, before an answer of a form or of any text', () => {
    const anyText = new AnyText({ stopIds: [stopId], controlIdsFrom: baseVocabulary })
    for (const thoughtTokens of [1, marks.begin.length + marks.end.length + 3, 50]) {
      const limited = answer(200, 5, undefined, { thoughtTokens })
      expect(isValid(limited.json)).toBe(true)
      const most = Math.max(thoughtTokens, marks.begin.length + marks.end.length)
      const wish = (tokens: number) => (tokens < most ? undefined : stopId)
      const free = answer(200, 5, wish, { thoughtTokens, rule: anyText })
      expect([free.json, free.tokens]).toEqual(['', most])
    }
  })

  it('leaves a thought alone that is shorter', () => {
    const wish = writing('It is red. ◁/think▷\n{"colour":"red"}')
    expect(answer(300, 1, wish, { thoughtTokens: 100 }).thought).toBe('It is red. ')
  })

  it('takes the mark in other tokens, such as single bytes', () => {
    const single = [...Buffer.from(thoughtMarks.end)].map((byte) => {
      const ids = Array.from({ length: baseVocabulary }, (_, id) => id)
      return ids.find((id) => {
        const bytes = vocabulary.bytesOf(id)
        return bytes.length === 1 && bytes[0] === byte
      })!
    })
    const ids = [...marks.begin, ...idsOf('Hm'), ...single]
    const { thought, json } = answer(300, 4, (tokens) => ids[tokens])
    expect(thought).toBe('Hm')
    expect(isValid(json)).toBe(true)
  })

  it('cuts a token in two that holds the end of the mark and something else', () => {
    const last = thoughtMarks.end.slice(-1)
    const joined = `${last}x`
    const own = {
      bytesOf: (id: number) => (id === 7 ? Buffer.from(joined) : vocabulary.bytesOf(id)),
      tokensOf: (bytes: Uint8Array) => vocabulary.tokensOf(bytes),
    }
    const constraint = new Constraint(grammar, [stopId])
    const parts = { marks, vocabulary: own, answer: constraint, controlIdsFrom: baseVocabulary }
    const rule = new ThoughtFirst(parts)
    const row = () => new Float32Array(vocabSize)
    const write = (id: number) => {
      rule.pack(row())
      return rule.settle(id, 100).id
    }
    for (const id of [...marks.begin, ...idsOf(thoughtMarks.end.slice(0, -1))]) write(id)
    const first = write(7)
    const ids = idsOf(last)
    expect(first).toBe(ids[0])
    for (const id of ids.slice(1)) {
      expect(rule.pack(row())).toHaveLength(1)
      expect(rule.idAt(0)).toBe(id)
      rule.settle(id, 100)
    }
    const opening = idsOf('{')[0]!
    rule.pack(row())
    expect(rule.idAt(0)).toBe(opening)
  })
})
