import { describe, expect, it } from 'vitest'
import { comparePublishedIds } from './published-ids.ts'

describe('comparePublishedIds()', () => {
  it('knows nothing of other tokenizers', () => {
    const tokenizer = { encodeOrdinary: () => Int32Array.of(0) }
    expect(comparePublishedIds(tokenizer, 1024)).toBeUndefined()
  })

  it('names every text that has other ids', () => {
    const tokenizer = { encodeOrdinary: (text: string) => Int32Array.of(text === '!' ? 0 : 11) }
    const compared = comparePublishedIds(tokenizer, 163_584)!
    expect(compared.problems).toHaveLength(compared.texts - 2)
    expect(compared.problems.at(-1)).toBe(String.raw`"\n" becomes 11, not 198`)
  })
})
