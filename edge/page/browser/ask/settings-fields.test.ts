import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { generateFields } from '../../../../shared/api/request.ts'
import { numberFields } from './settings-fields.ts'

const { properties } = z.toJSONSchema(generateFields, { io: 'input', unrepresentable: 'any' }) as {
  properties: Record<string, Record<string, unknown>>
}

describe('numberFields', () => {
  it.each(numberFields)(
    'have the range of the API: $name',
    ({ name, min, max, whole, standard }) => {
      const field = properties[name]!
      const largest = field['maximum'] === Number.MAX_SAFE_INTEGER && name !== 'seed'
      expect(max).toBe(largest ? undefined : field['maximum'])
      expect(whole).toBe(field['type'] === 'integer')
      // An input has no minimum that it excludes.
      if (field['exclusiveMinimum'] === undefined) expect(min).toBe(field['minimum'])
      else expect([field['exclusiveMinimum'], min > 0, min <= 0.001]).toEqual([0, true, true])
      if (field['default'] !== undefined) expect(standard).toBe(String(field['default']))
      else expect(Number(standard)).toBeNaN()
    },
  )
})
