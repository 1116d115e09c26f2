import { readFileSync } from 'node:fs'
import { Tiktoken } from 'tiktoken/lite'
import { describe, expect, it } from 'vitest'
import { createTokenizer, splitPattern } from './tokenizer.ts'
import { readRanks, readTokenizerFile } from '../../model/config/tokenizer-file.ts'

interface GoldenTokenizer {
  base_vocabulary: number
  special_tokens: Record<string, number>
  cases: { text: string; ids: number[]; ids_special_as_text?: number[] }[]
}

const golden = JSON.parse(readFileSync('test/golden/tokenizer.json', 'utf8')) as GoldenTokenizer
const folder = 'models/kimi-vl-nano'
const ranks = await readRanks(folder)
const file = await readTokenizerFile(folder)
const tokenizer = createTokenizer(ranks)
const encode = (text: string) => [...tokenizer.encodeOrdinary(text)]

describe('readTokenizerFile()', () => {
  it('finds the vocabulary and names all 256 special tokens as the reference does', () => {
    expect(file.baseVocabulary).toBe(golden.base_vocabulary)
    expect(Object.fromEntries(file.specialTokens)).toEqual(golden.special_tokens)
  })
})

describe('encodeOrdinary()', () => {
  it.each(golden.cases)('encodes $text like the reference, special tokens as text', (one) => {
    expect(encode(one.text)).toEqual(one.ids_special_as_text ?? one.ids)
  })

  it('never gives a control token, whichever name the text spells', () => {
    const names = [...file.specialTokens.keys()].join('')
    expect(Math.max(...encode(names))).toBeLessThan(file.baseVocabulary)
  })

  it('takes a broken surrogate pair for U+FFFD', () => {
    expect(encode('a\ud800b')).toEqual(encode('a\ufffdb'))
  })

  it('encodes a long text of ordinary words as one piece', () => {
    const text = "It's a small red circle, number 12345, on a white background.\n".repeat(200)
    const whole = new Tiktoken(ranks, {}, splitPattern).encode_ordinary(text)
    expect(encode(text)).toEqual([...whole])
  })

  it.each([
    ['letters', 'a'],
    ['Chinese characters', '你'],
    ['spaces', ' '],
    ['signs', '!'],
    ['signs and combining marks', '!!\u0301'],
    ['signs and letters younger than the tokenizer', '!!\ua7ce'],
  ])('encodes 600,000 characters of %s without choking, and loses none', (_, unit) => {
    const text = unit.repeat(600_000 / unit.length)
    const ids = tokenizer.encodeOrdinary(text)
    const { bytes, starts } = file.tokenBytes
    const parts = Array.from(ids, (id) => bytes.subarray(starts[id], starts[id + 1]))
    expect(Buffer.concat(parts).equals(Buffer.from(text))).toBe(true)
  })
})

describe('the special tokens', () => {
  const parsing = new Tiktoken(ranks, Object.fromEntries(file.specialTokens), splitPattern)

  it.each(golden.cases)('stand in $text where the reference sees them', ({ text, ids }) => {
    expect([...parsing.encode(text, 'all')]).toEqual(ids)
  })
})
