import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { generateFields } from '../../../../../shared/api/request/request.ts'
import { numberFields } from './settings-fields.ts'

const { properties } = z.toJSONSchema(generateFields, { io: 'input', unrepresentable: 'any' }) as {
  properties: Record<string, Record<string, unknown>>
}

/** An input cannot express an exclusive minimum; the server checks the rest. */
const leastAbove = 0.001

describe('numberFields', () => {
  it.each(numberFields)('have the range of the API: $name', ({ name, ...range }) => {
    const field = properties[name]!
    // zod gives every integer the range of safe integers; a seed may use all of it.
    const isBound = field['maximum'] !== Number.MAX_SAFE_INTEGER || name === 'seed'
    expect(range).toMatchObject({
      min: field['exclusiveMinimum'] === undefined ? field['minimum'] : leastAbove,
      ...(isBound && { max: field['maximum'] }),
      whole: field['type'] === 'integer',
      standard: standards[name] ?? `${field['default'] as number}`,
    })
  })
})

/** Names of fields without a default. */
const standards: Readonly<Record<string, string>> = { max_tokens: 'server’s', seed: 'random' }
