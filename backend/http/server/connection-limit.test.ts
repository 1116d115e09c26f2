import { describe, expect, it } from 'vitest'
import { connectionLimit } from './connection-limit.ts'

describe('connectionLimit()', () => {
  it.each([
    [1_048_576, 4_096],
    [Infinity, 4_096],
    [undefined, 4_096],
    [1_024, 928],
    [120, 24],
  ])('of %s files leaves %i connections beside 8 threads', (openFiles, connections) => {
    expect(connectionLimit(openFiles, 8)).toBe(connections)
  })

  it('names a limit that is too low, and what is needed', () => {
    expect(() => connectionLimit(64, 8)).toThrow(
      /only 64 files open \(ulimit -n\); at least 112 are needed with 8 threads/,
    )
  })
})
