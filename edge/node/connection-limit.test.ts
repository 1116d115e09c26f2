import { describe, expect, it } from 'vitest'
import { connectionLimit } from './connection-limit.ts'

describe('connectionLimit()', () => {
  it.each([
    [96, 16],
    [1_024, 480],
    [100_000, 4_096],
    [Infinity, 4_096],
    [undefined, 4_096],
  ])('leaves half of %s open files to backends', (files, connections) => {
    expect(connectionLimit(files)).toBe(connections)
  })

  it('says what is needed where there are too few', () => {
    expect(() => connectionLimit(95)).toThrow(
      'only 95 files open (ulimit -n); at least 96 are needed',
    )
  })
})
