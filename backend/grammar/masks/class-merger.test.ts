import { expect, it } from 'vitest'
import { readTokenizerFile } from '../../model/config/tokenizer-file.ts'
import { compileGrammar } from '../compile/compile-grammar.ts'
import { PatternString } from '../pieces/pattern-string.ts'
import { ClassMerger } from './class-merger.ts'
import { GradualMerger } from './patterns/gradual-merger.ts'
import { PatternTokens } from './pattern-tokens.ts'
import { Vocabulary } from './vocabulary.ts'

const { tokenBytes, vocabSize } = await readTokenizerFile('models/kimi-vl-nano')
const { characters, similar, merger, gradually, words } = new Vocabulary(tokenBytes, vocabSize)
const values = characters.staying.values.values.length
const parts = { characters, similar, merger, gradually, words }
/** Has no room, so that tokens stay as they are. */
const none = new ClassMerger(values, 1)
const idle = { characters, similar, merger: none, gradually: new GradualMerger(() => none), words }

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

/** Every byte, and some texts. */
function smallVocabulary(): Vocabulary {
  const bytes = Array.from({ length: 256 }, (_, byte) => Buffer.of(byte))
  const texts = [
    'é',
    'ü',
    'éa',
    'Ü',
    'λ',
    'Λx',
    '一',
    '丁',
    'ab',
    'a1',
    ' B',
    '.-',
    'ba',
    '2b',
    'a\\n',
    '\\t',
  ]
  const tokens = [...bytes, ...texts.map((text) => Buffer.from(text))]
  const starts = Uint32Array.from({ length: tokens.length + 1 })
  for (const [id, { length }] of tokens.entries()) starts[id + 1] = starts[id]! + length
  return new Vocabulary({ bytes: Buffer.concat(tokens), starts }, tokens.length)
}

it.each<[string, boolean]>([
  ['^\\p{L}{1,50}$', true],
  ['^\\p{Ll}+.*$', true],
  ['^[A-Za-z0-9_.-]+$', true],
  ['^[^\\s"]+$', true],
  ['^.+$', true],
  ['^[0-9a-f]+$', false],
  ['^[^é]+$', false],
  ['^\\p{Script=Greek}+$', false],
  ['^[A-Za-y]+$', false],
])('begins with similar characters merged: for %s, that is %s', (pattern, isSo) => {
  const small = smallVocabulary()
  const { tables } = pieceOf(pattern)
  const reads = small.characters.reads(tables.decoder)
  const source = small.similar.in(tables, 0, reads)
  expect(source !== undefined).toBe(isSo)
  if (source === undefined) return
  const merged = small.merger.merge(source, tables, 0)!
  const direct = small.merger.merge({ trie: small.characters.staying, reads }, tables, 0)!
  expect(merged.trie.labels.length).toBe(direct.trie.labels.length)
  expect(merged.trie.values.values.toSorted()).toEqual(direct.trie.values.values.toSorted())
})

it('has no room for more than it was given', () => {
  const { tables } = pieceOf('^[a-z]+$')
  const all = { trie: characters.staying, reads: characters.reads(tables.decoder) }
  expect(new ClassMerger(values, 8).merge(all, tables, 0)).toBeUndefined()
})
