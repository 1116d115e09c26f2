import { describe, expect, it } from 'vitest'
import { publishedSpecialTokens } from '../synthesise/published-config.ts'
import { comparePublishedIds } from './published-ids.ts'

const names = Object.entries(publishedSpecialTokens)
const specialTokens = new Map(names.map(([id, name]) => [name, Number(id)]))

describe('comparePublishedIds()', () => {
  it('knows nothing of other tokenizers', () => {
    const tokenizer = { encodeOrdinary: () => Int32Array.of(0) }
    expect(comparePublishedIds({ tokenizer, specialTokens }, 1024)).toBeUndefined()
  })

  it('names every text and chat that is not as published', () => {
    const tokenizer = { encodeOrdinary: (text: string) => Int32Array.of(text === '!' ? 0 : 11) }
    const { compared, problems } = comparePublishedIds({ tokenizer, specialTokens }, 163_584)!
    expect(problems).toHaveLength(compared - 2)
    expect(problems).toContain(String.raw`"\n" becomes 11, not 198`)
    expect(problems).toContain(
      'a chat with "Reply with exactly one short word: hello" has 13 tokens, not 24',
    )
  })
})
