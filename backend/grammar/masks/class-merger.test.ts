import { expect, it } from 'vitest'
import { readTokenizerFile } from '../../model/config/tokenizer-file.ts'
import { compileGrammar } from '../compile/compile-grammar.ts'
import { PatternString } from '../pieces/pattern-string.ts'
import { ClassMerger } from './class-merger.ts'
import { emptyInside, insideMask } from './pattern-mask.ts'
import { Vocabulary } from './vocabulary.ts'

const { tokenBytes, vocabSize } = await readTokenizerFile('models/kimi-vl-nano')
const { characters, words, trie } = new Vocabulary(tokenBytes, vocabSize)

function tablesOf(pattern: string) {
  const schema = JSON.stringify({ type: 'string', pattern })
  const { pieces } = compileGrammar({ type: 'json_schema', schema })
  return pieces.find((piece) => piece.kind === 'pattern')!
}

it.each(['^[^x]{1,20}$', '^[a-z]+( [A-Z][a-z]*){0,4}$', '^x|ab+', '^(?:[^\\p{L}]|é|\\n)*$'])(
  'allows the same for %s with merged tokens as without, whichever state was made before',
  (pattern) => {
    const tables = tablesOf(pattern)
    const piece = new PatternString(tables)
    const merged = new ClassMerger(characters).tokens(tables)
    const left = new ClassMerger(characters, 1).tokens(tables)
    expect(left.staying).toBe(characters.staying)
    expect(merged.staying.labels.length).toBeLessThan(trie.size)
    let latest = emptyInside(words)
    for (const prefix of ['', 'x', 'ab', 'a', 'Zoo', 'hello Wor', 'hello World '.repeat(2)]) {
      let state = piece.start
      for (const byte of Buffer.from(`"${prefix}`)) if (state >= 0) state = piece.step(state, byte)
      if (state < 0) continue
      latest = insideMask(merged, piece, state, latest)
      const { mask } = insideMask(left, piece, state, emptyInside(words))
      expect({ prefix, mask: latest.mask }).toEqual({ prefix, mask })
      expect(mask.some((word) => word !== 0)).toBe(true)
    }
  },
)

it('leaves tokens as they are for a pattern that lets all of them pass', () => {
  const merger = new ClassMerger(characters)
  expect(merger.tokens(tablesOf('ab+')).staying).toBe(characters.staying)
})

it.each([
  '^\\p{L}{1,50}$',
  '^https?://(?:[a-z]{1,9}\\.){1,3}[a-z]{2,4}(?:/[a-z0-9._~-]{0,24}){0,2}$',
  '^[A-Z]{0,9}$|^[A-Z].*"[a-z]{0,9}$',
])('makes each mask of %s from any other one', (pattern) => {
  const tables = tablesOf(pattern)
  const piece = new PatternString(tables)
  const tokens = new ClassMerger(characters).tokens(tables)
  const nodes = tables.accepting.length
  const alone = [...tables.accepting.keys()].map(
    (node) => insideMask(tokens, piece, piece.stateOf(node), emptyInside(words)).mask,
  )
  let latest = emptyInside(words)
  // Steps of 1, 2, 3 and so on: both near and far.
  for (let [at, step] = [0, 1]; step < 3 * nodes; at = (at + step++) % nodes) {
    latest = insideMask(tokens, piece, piece.stateOf(at), latest)
    expect({ at, mask: latest.mask }).toEqual({ at, mask: alone[at] })
  }
})
