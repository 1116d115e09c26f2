import { expect, it, vi } from 'vitest'
import { prepare } from '../../../test/support/grammar/grammar-walks.ts'
import { readTokenizerFile } from '../../model/config/tokenizer-file.ts'
import { Vocabulary } from '../masks/vocabulary.ts'
import type { Standing } from './frames.ts'

const { tokenBytes, vocabSize } = await readTokenizerFile('models/kimi-vl-nano')
const vocabulary = new Vocabulary(tokenBytes, vocabSize)

/** A list of numbers within one of several ranges that overlap. */
function listOf(ranges: number) {
  const anyOf = Array.from({ length: ranges }, (_, index) => ({ type: 'integer', minimum: -index }))
  return prepare({ type: 'array', items: { anyOf } }, vocabulary)
}

function after(text: string, ranges: number) {
  const grammar = listOf(ranges)
  let standing: Standing | undefined = grammar.automaton.start
  for (const byte of Buffer.from(text))
    standing = standing && grammar.automaton.step(standing, byte)
  return { grammar, standing: standing! }
}

it('follows what surrounds alternatives once, however many of them have ended', () => {
  const { standing } = after('[1,2,3', 40)
  expect(standing.heads).toHaveLength(42)
  expect(standing.heads.every(({ frames }) => frames.length === 1)).toBe(true)
})

it('masks look once at what may come after alternatives that end in the same place', () => {
  const [few, many] = [5, 40].map((ranges) => {
    const { grammar, standing } = after('[1', ranges)
    const behind = vi.spyOn(grammar.automaton, 'behind')
    grammar.masks.fill(standing, new Int32Array(vocabulary.words))
    return behind.mock.calls.length
  })
  expect(many).toBe(few)
})
