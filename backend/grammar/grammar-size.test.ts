import { expect, it } from 'vitest'
import { compileGrammar } from './compile/compile-grammar.ts'
import { sizeOf } from './grammar-size.ts'

function sizeWith(patterns: number): number {
  const anyOf = Array.from({ length: patterns }, (_, index) => ({
    type: 'string',
    pattern: `^\\p{L}{1,${index + 2}}$`,
  }))
  return sizeOf(compileGrammar({ type: 'json_schema', schema: JSON.stringify({ anyOf }) }))
}

it('counts tables that patterns share once', () => {
  // The decoder of `\p{L}` takes 150 kB.
  expect(sizeWith(20) - sizeWith(1)).toBeLessThan(100_000)
  expect(sizeWith(1)).toBeGreaterThan(100_000)
})
