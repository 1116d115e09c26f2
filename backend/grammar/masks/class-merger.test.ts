import { expect, it } from 'vitest'
import { readTokenizerFile } from '../../model/config/tokenizer-file.ts'
import { compileGrammar } from '../compile/compile-grammar.ts'
import { PatternString } from '../pieces/pattern-string.ts'
import { ClassMerger } from './class-merger.ts'
import { PatternTokens } from './pattern-tokens.ts'
import { Vocabulary } from './vocabulary.ts'

const { tokenBytes, vocabSize } = await readTokenizerFile('models/kimi-vl-nano')
const { characters, merger, words } = new Vocabulary(tokenBytes, vocabSize)
const values = characters.staying.values.values.length
const parts = { characters, merger, words }
/** Has no room, so that tokens stay as they are. */
const idle = { characters, merger: new ClassMerger(values, 1), words }

function pieceOf(pattern: string): PatternString {
  const schema = JSON.stringify({ type: 'string', pattern })
  const { pieces } = compileGrammar({ type: 'json_schema', schema })
  return new PatternString(pieces.find((piece) => piece.kind === 'pattern')!)
}

it.each([
  '^[^x]{1,20}$',
  '^[a-z]+( [A-Z][a-z]*){0,4}$',
  '^x|ab+',
  '^(?:[^\\p{L}]|é|\\n)*$',
  '^\\p{L}{1,50}$',
  '^https?://(?:[a-z]{1,9}\\.){1,3}[a-z]{2,4}(?:/[a-z0-9._~-]{0,24}){0,2}$',
  '^[A-Z]{0,9}$|^[A-Z].*"[a-z]{0,9}$',
])(
  'allows the same for %s with merged tokens as without, whichever state was made before',
  (pattern) => {
    const piece = pieceOf(pattern)
    const tokens = new PatternTokens(piece, parts)
    const nodes = piece.tables.accepting.length
    const alone = [...piece.tables.accepting.keys()].map((node) =>
      new PatternTokens(piece, idle).maskOf(piece.stateOf(node)),
    )
    expect(alone.every(({ inside, closing }) => inside.some(Boolean) || closing.length > 0)).toBe(
      true,
    )
    // Steps of 1, 2, 3 and so on: both near and far.
    for (let [at, step] = [0, 1]; step < 3 * nodes; at = (at + step++) % nodes) {
      expect({ at, mask: tokens.maskOf(piece.stateOf(at)) }).toEqual({ at, mask: alone[at] })
    }
  },
)

it('merges tokens to far fewer sequences, further where less differs', () => {
  const { tables } = pieceOf('^(?:x|[a-z]{4,}[.])-[a-z]*$')
  const all = { trie: characters.staying, reads: characters.reads(tables.decoder) }
  const [first, last] = [tables.regions.ofState[0]!, tables.regions.ofState.at(-1)!]
  const merged = merger.merge(all, tables, first)!
  expect(merged.trie.labels.length).toBeLessThan(all.trie.labels.length / 4)
  const further = merger.merge(merged, tables, last)!
  expect(further.trie.labels.length).toBeLessThan(merged.trie.labels.length)
  // In another order, but the same.
  const direct = merger.merge(all, tables, last)!
  expect(direct.trie.labels.length).toBe(further.trie.labels.length)
  expect(direct.trie.values.values.toSorted()).toEqual(further.trie.values.values.toSorted())
})

it('has no room for more than it was given', () => {
  const { tables } = pieceOf('^[a-z]+$')
  const all = { trie: characters.staying, reads: characters.reads(tables.decoder) }
  expect(new ClassMerger(values, 8).merge(all, tables, 0)).toBeUndefined()
})
