import { describe, expect, it, vi } from 'vitest'
import { candidatesOf } from '../../test/support/inference/candidates-of.ts'
import {
  objectOf,
  usualSchemas,
  keywordSchemas,
} from '../../test/support/grammar/grammar-schemas.ts'
import { faultOf, prepare } from '../../test/support/grammar/grammar-walks.ts'
import { validatorOf } from '../../test/support/test-ajv.ts'
import { createSampler } from '../engine/sampling/sampler.ts'
import { createRandom } from '../engine/sampling/random.ts'
import { readTokenizerFile } from '../model/config/tokenizer-file.ts'
import { Constraint, type PreparedGrammar } from './constraint.ts'
import { hasBit, idAt, positionOf } from './masks/bits.ts'
import { packRow } from './masks/kernel/pack-row.ts'
import { Vocabulary } from './masks/vocabulary.ts'

const { tokenBytes, vocabSize, baseVocabulary, specialTokens } =
  await readTokenizerFile('models/kimi-vl-nano')
const vocabulary = new Vocabulary(tokenBytes, vocabSize)
const info = { imageTokenId: -1, vocabSize }
const stopId = specialTokens.get('<|im_end|>')!

interface Answer {
  readonly text: Uint8Array
  /** `cut` at the last token. */
  readonly end: 'stop' | 'cut'
  readonly tokens: number
}

/** An answer by a model that picks random tokens. @param candidates picked from first, if given */
function answer(
  grammar: PreparedGrammar,
  maxTokens: number,
  seed: number,
  candidates?: number,
): Answer {
  const constraint = new Constraint(grammar, [stopId])
  const random = createRandom(seed)
  const job = {
    promptIds: new Int32Array(),
    stopIds: [stopId],
    controlIdsFrom: baseVocabulary,
    sampling: { temperature: 1, seed },
    topLogprobs: undefined,
  }
  const sampler = createSampler(job, 0, info, constraint)
  const bytes: number[] = []
  for (let tokens = 1; tokens <= maxTokens; tokens++) {
    const logits = Float32Array.from({ length: vocabSize }, () => 4 * random())
    const left = maxTokens - tokens + 1
    const known = candidates === undefined ? undefined : candidatesOf(logits, candidates)
    const picked = known && sampler.pickFrom(known, left)
    const { id, end } = picked ?? sampler.pick(logits, left)
    if (id === stopId) return { text: Uint8Array.from(bytes), end: 'stop', tokens: tokens - 1 }
    bytes.push(...vocabulary.bytesOf(id))
    const isEnd = end === 'must' || (end === 'may' && tokens === maxTokens)
    if (isEnd) return { text: Uint8Array.from(bytes), end: 'stop', tokens }
  }
  return { text: Uint8Array.from(bytes), end: 'cut', tokens: maxTokens }
}

describe('Constraint', () => {
  const schemas = [...keywordSchemas, ...usualSchemas].filter((_, index) => index % 3 === 0)

  it.each(schemas)('closes %s within the tokens there are, or never could', (_, schema) => {
    const grammar = prepare(schema, vocabulary)
    const { endings, start } = grammar.automaton
    const ending = vocabulary.tokensOf(endings.text(start)).length
    const validate = validatorOf(schema)
    for (const maxTokens of [1, 2, 5, 12, 33, ending - 1, ending, ending + 1]) {
      if (maxTokens < 1) continue
      const { text, end, tokens } = answer(grammar, maxTokens, maxTokens)
      const outcome = end === 'stop' ? (faultOf(text, validate) ?? 'valid') : 'cut'
      expect([maxTokens, outcome]).toEqual([maxTokens, ending <= maxTokens ? 'valid' : outcome])
      expect(['valid', 'cut']).toContain(outcome)
      expect(tokens).toBeLessThanOrEqual(maxTokens)
    }
  })

  it('gives the same answer from candidates', () => {
    for (const [i, [, schema]] of schemas.entries()) {
      const grammar = prepare(schema, vocabulary)
      const [maxTokens, candidates] = [20 + i, [64, 600][i % 2]!]
      expect(answer(grammar, maxTokens, i, candidates)).toEqual(answer(grammar, maxTokens, i))
    }
  })

  it('lets an answer end where its text may, and ends it where nothing may follow', () => {
    const grammar = prepare({ type: 'integer', minimum: 1, maximum: 99 }, vocabulary)
    const constraint = new Constraint(grammar, [stopId])
    const row = new Float32Array(vocabSize)
    const idOf = (text: string) => vocabulary.tokensOf(Buffer.from(text))[0]!
    expect(constraint.pack(row.slice()).length).toBeGreaterThan(0)
    expect(() => constraint.positionOf(stopId)).not.toThrow()
    expect(constraint.settle(idOf('7'), Infinity)).toEqual({ id: idOf('7'), end: 'may' })
    const length = constraint.pack(row.slice()).length
    expect(constraint.idAt(length - 1)).toBe(stopId)
    expect(constraint.settle(idOf('1'), Infinity)).toEqual({ id: idOf('1'), end: 'must' })
  })

  it.each([{ temperature: 0 }, { temperature: 2 }, { topP: 0.9 }, { topK: 900 }, { minP: 0.01 }])(
    'draws within a string only what is allowed, however likely the rest is, with %j',
    (rules) => {
      const grammar = prepare({ type: 'string' }, vocabulary)
      const { automaton, masks } = grammar
      const mask = new Int32Array(vocabulary.words)
      masks.fill(automaton.step(automaton.start, 0x22)!, mask)
      const random = createRandom(7)
      const [drawn, expected] = [new Set<number>(), new Set<number>()]
      for (let seed = 0; seed < 200; seed++) {
        const constraint = new Constraint(grammar, [])
        constraint.settle(vocabulary.tokensOf(Buffer.from('"'))[0]!, Infinity)
        // Those that are not allowed are the most likely ones.
        const likely = (id: number) => (hasBit(mask, id) ? 0 : 50)
        const row = Float32Array.from({ length: vocabSize }, (__, id) => likely(id) + 6 * random())
        expect(constraint.pack(row.slice())).toHaveLength(vocabSize)
        const job = {
          promptIds: new Int32Array(),
          stopIds: [],
          controlIdsFrom: baseVocabulary,
          sampling: { temperature: 0.8, ...rules, seed },
          topLogprobs: undefined,
        }
        const packed = createSampler(job, 0, info, {
          prepare: () => undefined,
          filter: () => (id) => hasBit(mask, id),
          pack: (logits) => logits.subarray(0, packRow(logits, mask)),
          idAt: (position) => idAt(mask, position),
          positionOf: (id) => positionOf(mask, id),
          settle: (id) => ({ id }),
        })
        const { id } = createSampler(job, 0, info, constraint).pick(row.slice())
        expect(hasBit(mask, id)).toBe(true)
        drawn.add(id)
        expected.add(packed.pick(row.slice()).id)
      }
      // As varied as from the allowed logits alone.
      expect(Math.abs(drawn.size - expected.size)).toBeLessThan(20)
    },
  )

  it('does not cut endings of any length into tokens to see whether they fit', () => {
    const many = { type: 'array', items: { type: 'string', minLength: 100_000 }, minItems: 100_000 }
    const grammar = prepare(many, vocabulary)
    const text = vi.spyOn(grammar.automaton.endings, 'text')
    const constraint = new Constraint(grammar, [stopId])
    expect(constraint.leastTokens).toBeGreaterThan(1e10)
    for (const character of '["abc') {
      const [id] = vocabulary.tokensOf(Buffer.from(character))
      expect(constraint.settle(id!, 1e9)).toEqual({ id })
    }
    expect(text).not.toHaveBeenCalled()
  })

  it('makes one mask for each token, whoever asks first', () => {
    const grammar = prepare({ type: 'integer', minimum: 1, maximum: 99 }, vocabulary)
    const fill = vi.spyOn(grammar.masks, 'fill')
    const constraint = new Constraint(grammar, [stopId])
    const seven = vocabulary.tokensOf(Buffer.from('7'))[0]!
    const row = new Float32Array(vocabSize)
    constraint.prepare()
    expect(constraint.filter()(seven)).toBe(true)
    expect(constraint.pack(row.slice()).length).toBeGreaterThan(0)
    expect(fill).toHaveBeenCalledTimes(1)
    constraint.settle(seven, Infinity)
    const length = constraint.pack(row.slice()).length
    expect(constraint.idAt(length - 1)).toBe(stopId)
    expect(fill).toHaveBeenCalledTimes(2)
  })

  it('refuses a token that is not allowed', () => {
    const constraint = new Constraint(prepare(objectOf({}), vocabulary), [stopId])
    expect(() => constraint.settle(0x61, Infinity)).toThrow(RangeError)
  })
})
