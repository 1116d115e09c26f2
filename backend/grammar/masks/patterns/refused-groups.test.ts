import { expect, it } from 'vitest'
import { readTokenizerFile } from '../../../model/config/tokenizer-file.ts'
import { compileGrammar } from '../../compile/compile-grammar.ts'
import { PatternString } from '../../pieces/pattern-string.ts'
import { Vocabulary } from '../vocabulary.ts'
import { RefusedGroups } from './refused-groups.ts'

const { tokenBytes, vocabSize } = await readTokenizerFile('models/kimi-vl-nano')
const { characters } = new Vocabulary(tokenBytes, vocabSize)
const { labels, depths, skips } = characters.staying

function pieceOf(pattern: string): PatternString {
  const { pieces } = compileGrammar({
    type: 'json_schema',
    schema: JSON.stringify({ type: 'string', pattern }),
  })
  return new PatternString(pieces.find((piece) => piece.kind === 'pattern')!)
}

/** Whether a pattern allows every label at a node of the trie and below, going through all of them. */
function allowsEach(piece: PatternString, reads: Int16Array, state: number, from: number): boolean {
  const { table, classes } = piece.tables
  const way = [state]
  for (let at = from; at < skips[from]!; at++) {
    const depth = depths[at]! - depths[from]!
    const read = reads[labels[at]!]!
    if (read === -1 || (read >= 0 && !piece.mayBecome(way[depth]!, read))) return false
    const next = read < 0 ? table[way[depth]! * classes - 2 - read]! : 0
    if (next < 0) return false
    way[depth + 1] = next
  }
  return true
}

it.each([
  '^[^e]{1,20}$',
  '^[^x]{3}[^é]*$',
  '^([^a][^b][^c]){1,4}$',
  '^.{5}$',
  '^[a-z ]*$',
  '^[^一]*$',
])('allows parts of the trie for %s only if each token there is allowed', (pattern) => {
  const piece = pieceOf(pattern)
  const reads = characters.reads(piece.tables.decoder)
  const refused = new RefusedGroups(piece, characters.groups, reads)
  const wrong: { state: number; at: number }[] = []
  let allowed = 0
  for (const state of piece.tables.accepting.keys()) {
    for (let at = 1; at < labels.length; at++) {
      if (!refused.allowsAll(state, at)) continue
      allowed += 1
      if (!allowsEach(piece, reads, state, at)) wrong.push({ state, at })
    }
  }
  expect(wrong).toEqual([])
  expect(allowed).toBeGreaterThan(100)
})
