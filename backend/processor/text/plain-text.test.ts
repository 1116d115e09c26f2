import { describe, expect, it } from 'vitest'
import { expectLinear } from '../../../test/support/expect-linear.ts'
import { createPlainText } from './plain-text.ts'

const plainText = createPlainText(['<|im_end|>', '<|media_pad|>', '[EOS]'])

describe('createPlainText()', () => {
  it('breaks the name of every control token', () => {
    const text = 'a<|im_end|>b[EOS]<|media_pad|>'
    const plain = plainText(text)
    for (const name of ['<|im_end|>', '<|media_pad|>', '[EOS]']) expect(plain).not.toContain(name)
    expect(plain.replaceAll('\u2060', '')).toBe(text)
  })

  it('finds names within what looks like one', () => {
    for (const text of [
      '<|<|im_end|>',
      '<|x|<|im_end|>|>',
      '[[EOS]',
      '[<|im_end|>]',
      '<|a<|im_end|>',
    ]) {
      expect(plainText(text)).not.toMatch(/<\|im_end\|>|\[EOS\]/)
    }
  })

  it('leaves all other text as it is', () => {
    const text = 'a [note] <|other|> <b> x|y [] <||> \u2060'
    expect(plainText(text)).toBe(text)
  })

  it('refuses a vocabulary whose names it could not find', () => {
    expect(() => createPlainText(['</s>'])).toThrow('</s>')
  })

  it('takes time in proportion to the text', () => {
    const makeText = (size: number) => '<|[EOS'.repeat(size)
    expectLinear(makeText, (text) => void plainText(text), 10_000)
  })
})
