/**
 * Random walks: whatever tokens are taken, the text ends and is valid. `GRAMMAR_WALKS` sets how many for each schema;
 * 1,000 take a few minutes.
 */
import { describe, expect, it } from 'vitest'
import {
  keywordSchemas,
  randomSchemas,
  usualSchemas,
} from '../../test/support/grammar/grammar-schemas.ts'
import { oddSchemas } from '../../test/support/grammar/odd-schemas.ts'
import { prepare, walkMany } from '../../test/support/grammar/grammar-walks.ts'
import { validatorOf } from '../../test/support/test-ajv.ts'
import { readTokenizerFile } from '../model/config/tokenizer-file.ts'
import { Vocabulary } from './masks/vocabulary.ts'

const walks = Number(process.env['GRAMMAR_WALKS'] ?? 8)
const { tokenBytes, vocabSize } = await readTokenizerFile('models/kimi-vl-nano')
const vocabulary = new Vocabulary(tokenBytes, vocabSize)

describe(`${walks} random walks end in valid texts`, () => {
  it.each([...keywordSchemas, ...usualSchemas, ...oddSchemas])(
    'for %s',
    (_, schema) => {
      expect(walkMany(prepare(schema, vocabulary), validatorOf(schema), walks, 5)).toEqual([])
    },
    600_000,
  )

  it('for 80 schemas made at random', () => {
    for (const [name, schema] of randomSchemas(80, 1)) {
      const faults = walkMany(prepare(schema, vocabulary), validatorOf(schema), walks, 7)
      expect({ name, faults }).toEqual({ name, faults: [] })
    }
  }, 600_000)
})
