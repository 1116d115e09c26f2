import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { errorKinds } from './errors.ts'

describe('docs/api.md', () => {
  it('lists every error a client can see, with its status', () => {
    const rows = readFileSync('docs/api.md', 'utf8').matchAll(/^\| (`[^|]+`) +\| (\d{3}) +\|/gm)
    const told = [...rows].flatMap(([, codes, status]) =>
      codes!.match(/\w+/g)!.map((code) => [code, Number(status)] as const),
    )
    // Nobody is left to see `cancelled`.
    const kinds = Object.entries(errorKinds).filter(([code]) => code !== 'cancelled')
    expect(Object.fromEntries(told)).toEqual(
      Object.fromEntries(kinds.map(([code, { status }]) => [code, status])),
    )
  })
})
