import { expect, it } from 'vitest'
import { readTokenizerFile } from '../../../model/config/tokenizer-file.ts'
import { compileGrammar } from '../../compile/compile-grammar.ts'
import type { PatternTables } from '../../grammar.ts'
import { ClassMerger } from '../class-merger.ts'
import { Vocabulary } from '../vocabulary.ts'
import { GradualMerger } from './gradual-merger.ts'

const { tokenBytes, vocabSize } = await readTokenizerFile('models/kimi-vl-nano')
const { characters, merger } = new Vocabulary(tokenBytes, vocabSize)
const tokens = characters.staying.values.values.length

function tablesOf(pattern: string): PatternTables {
  const schema = JSON.stringify({ type: 'string', pattern })
  const { pieces } = compileGrammar({ type: 'json_schema', schema })
  return pieces.find((piece) => piece.kind === 'pattern')!
}

const [one, other] = ['^[^e]{1,20}$', '^[^x][^y]*$'].map(tablesOf) as [PatternTables, PatternTables]
const sourceOf = ({ decoder }: PatternTables) => ({
  trie: characters.staying,
  reads: characters.reads(decoder),
})

/** Merges nothing else, in pieces of some nodes. */
function gradually(nodes: number) {
  const merging = new GradualMerger(() => new ClassMerger(tokens), nodes)
  return (key: object, tables: PatternTables) => merging.advance(key, sourceOf(tables), tables, 0)
}

it('merges the same in pieces as at once', () => {
  const advance = gradually(100)
  const key = {}
  let pieces = 1
  let merged = advance(key, one)
  for (; merged === undefined; pieces++) merged = advance(key, one)
  expect(pieces).toBeGreaterThan(10)
  expect(merged).toEqual(merger.merge(sourceOf(one), one, 0))
})

it('is for one at a time, until that one has not come for a while', () => {
  const advance = gradually(100)
  const [first, second] = [{}, {}]
  const wanted = merger.merge(sourceOf(other), other, 0)
  advance(first, one)
  // Alternating with the first, the second one only waits.
  for (let turn = 0; turn < 5; turn++) {
    expect(advance(second, other)).toBeUndefined()
    expect(advance(first, one)).toBeUndefined()
  }
  let merged = advance(second, other)
  for (let turn = 0; turn < 10_000 && merged === undefined; turn++) merged = advance(second, other)
  expect(merged).toEqual(wanted)
})

it('says when there is no room', () => {
  const merging = new GradualMerger(() => new ClassMerger(tokens, 8), 100)
  expect(merging.advance({}, sourceOf(one), one, 0)).toBe('no room')
})
