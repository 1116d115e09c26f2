import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { parseEnvironment } from './environment.ts'

const schema = z.object({
  MAX_TOKENS: z.string().regex(/^\d+$/, 'expected a whole number').optional(),
  PORT: z.string().regex(/^\d+$/, 'expected a whole number').optional(),
  API_KEY: z.string().min(24, 'expected at least 24 characters').optional(),
  MIRROR: z.url('expected an address').optional(),
  LIST: z
    .preprocess(
      (text) => String(text).split(','),
      z.array(z.string().min(2, 'expected two characters')),
    )
    .optional(),
  NAME: z.string(),
})
const problemsWith = (environment: Record<string, string>) => () =>
  parseEnvironment(schema, { NAME: 'a', ...environment })

describe('parseEnvironment()', () => {
  it('names a setting and its value', () => {
    expect(problemsWith({ PORT: 'abc' })).toThrow(
      'These settings are not valid:\n  PORT: expected a whole number, received "abc"',
    )
    expect(problemsWith({ MAX_TOKENS: 'many' })).toThrow('received "many"')
  })

  it('names the item of a list', () => {
    expect(problemsWith({ LIST: 'ab,c' })).toThrow(
      'LIST.1: expected two characters, received "ab,c"',
    )
  })

  it('does not repeat what may be secret', () => {
    expect(problemsWith({ API_KEY: 'short' })).toThrow(/API_KEY: expected at least 24 characters$/)
    expect(problemsWith({ MIRROR: 'me@pass' })).toThrow(/MIRROR: expected an address$/)
    expect(problemsWith({ PORT: 'x'.repeat(41) })).toThrow(/PORT: expected a whole number$/)
  })

  it('treats empty values as unset', () => {
    expect(problemsWith({ PORT: '' })).not.toThrow()
    expect(problemsWith({ NAME: '' })).toThrow(/NAME: is required$/)
  })
})
