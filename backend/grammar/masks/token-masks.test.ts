import { describe, expect, it } from 'vitest'
import {
  keywordSchemas,
  randomSchemas,
  usualSchemas,
} from '../../../test/support/grammar/grammar-schemas.ts'
import { after, idsOf, prepare } from '../../../test/support/grammar/grammar-walks.ts'
import { oddSchemas } from '../../../test/support/grammar/odd-schemas.ts'
import { createRandom } from '../../engine/sampling/random.ts'
import { readTokenizerFile } from '../../model/config/tokenizer-file.ts'
import type { PreparedGrammar } from '../constraint.ts'
import type { Standing } from '../stacks/frames.ts'
import { Vocabulary } from './vocabulary.ts'

const file = await readTokenizerFile('models/kimi-vl-nano')
const vocabulary = new Vocabulary(file.tokenBytes, file.vocabSize)
const textIds = Array.from({ length: file.baseVocabulary }, (_, id) => id)

/** Ids of all tokens whose bytes may come next, one after the other. */
function steppedIds({ automaton }: PreparedGrammar, standing: Standing): number[] {
  return textIds.filter((id) => {
    let at: Standing | undefined = standing
    for (const byte of vocabulary.bytesOf(id)) at = at && automaton.step(at, byte)
    return at !== undefined
  })
}

describe('TokenMasks', () => {
  it('allow exactly the tokens whose every byte is allowed, in places all over many schemas', () => {
    const random = createRandom(3)
    const fixed = [...keywordSchemas, ...usualSchemas, ...oddSchemas]
    for (const [name, schema] of [...fixed, ...randomSchemas(40, 9)]) {
      const grammar = prepare(schema, vocabulary)
      const mask = new Int32Array(vocabulary.words)
      let standing = grammar.automaton.start
      for (let count = 0; count < 10; count++) {
        grammar.masks.fill(standing, mask)
        const ids = idsOf(mask)
        expect({ name, count, ids }).toEqual({ name, count, ids: steppedIds(grammar, standing) })
        if (ids.length === 0) break
        const quotes = ids.filter((id) => vocabulary.bytesOf(id).includes(0x22))
        const from = quotes.length > 0 && random() < 0.3 ? quotes : ids
        standing = after(grammar, standing, from[Math.floor(random() * from.length)]!)
      }
    }
  })

  it('forget kept masks when there are too many, and make them anew', () => {
    const schema = { type: 'string', pattern: '^[a-z]{700}$' }
    const grammar = prepare(schema, vocabulary)
    const mask = new Int32Array(vocabulary.words)
    const limit = { bytes: 0 }
    let standing = grammar.automaton.start
    for (const byte of Buffer.from(`"${'a'.repeat(700)}`)) {
      standing = grammar.automaton.step(standing, byte)!
      grammar.masks.fill(standing, mask)
      limit.bytes = Math.max(limit.bytes, grammar.masks.bytes)
    }
    expect(idsOf(mask)).toEqual(steppedIds(grammar, standing))
    expect(limit.bytes).toBeLessThanOrEqual(8 * 1024 * 1024)
  })
})
