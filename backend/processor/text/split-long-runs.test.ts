import { describe, expect, it } from 'vitest'
import { splitLongRuns } from './split-long-runs.ts'

describe('splitLongRuns()', () => {
  it('leaves text without long runs whole', () => {
    const text = `${'a'.repeat(1_000)} ${'你'.repeat(1_000)}，${'7'.repeat(5_000)}`
    expect(splitLongRuns(text)).toEqual([text])
  })

  it.each([
    ['Latin letters', 'a'],
    ['Chinese characters', '你'],
    ['white space', ' '],
    ['newlines', '\n'],
    ['signs', '='],
    ['letters outside the basic plane', '𝒜'],
    ['emoji', '😀'],
    ['zero-width no-break spaces and signs', '\ufeff!'],
    ['unassigned characters', '\u0378'],
  ])('cuts %s after every 1,000, never inside a character', (_, unit) => {
    const text = `before ${unit.repeat(2_500)} after`
    const pieces = splitLongRuns(text)
    expect(pieces.join('')).toBe(text)
    expect(pieces.every((piece) => Array.from(piece).length <= 1_010)).toBe(true)
    expect(pieces.some((piece) => /\p{Surrogate}/u.test(piece))).toBe(false)
  })

  it('keeps what stands around a long run in one piece with its ends', () => {
    const text = `Look: ${'x'.repeat(1_500)} done`
    expect(splitLongRuns(text)).toEqual([`Look: ${'x'.repeat(1_000)}`, `${'x'.repeat(500)} done`])
  })
})
