import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createDetokenizer } from './detokenizer.ts'
import { createTokenizer } from './tokenizer.ts'
import { readRanks, readTokenizerFile } from '../../model/config/tokenizer-file.ts'

const { streaming, cases } = JSON.parse(readFileSync('test/golden/tokenizer.json', 'utf8')) as {
  streaming: { text: string; ids: number[]; bytes_base64: string[] }
  cases: { text: string; ids: number[]; ids_special_as_text?: number[] }[]
}
const { tokenBytes, baseVocabulary, specialTokens } = await readTokenizerFile('models/kimi-vl-nano')
const tokenizer = createTokenizer(await readRanks('models/kimi-vl-nano'))

/** In the nano vocabulary the id of a single byte is the byte. */
const bytes = (...ids: number[]) => ids

function oneByOne(ids: readonly number[]): string[] {
  const detokenizer = createDetokenizer(tokenBytes)
  return [...ids.map((id) => detokenizer.push([id])), detokenizer.flush()]
}

function allAtOnce(ids: readonly number[]): string {
  const detokenizer = createDetokenizer(tokenBytes)
  return detokenizer.push(ids) + detokenizer.flush()
}

describe('createDetokenizer()', () => {
  it('knows the bytes of each token', () => {
    const { bytes: all, starts } = tokenBytes
    const encoded = streaming.ids.map((id) =>
      Buffer.from(all.subarray(starts[id], starts[id + 1])).toString('base64'),
    )
    expect(encoded).toEqual(streaming.bytes_base64)
  })

  it('holds a character back until its last byte', () => {
    expect(oneByOne(streaming.ids)).toEqual([
      'c',
      'a',
      'f',
      '',
      'é',
      ' ',
      '',
      '',
      '',
      '😀',
      '',
      '',
      '你',
      '',
    ])
  })

  it.each(cases)('gives $text back, whole and token by token', ({ text, ...encoded }) => {
    const ids = encoded.ids_special_as_text ?? encoded.ids
    expect(allAtOnce(ids)).toBe(text)
    expect(oneByOne(ids).join('')).toBe(text)
  })

  it('keeps a byte order mark', () => {
    expect(allAtOnce([...tokenizer.encodeOrdinary('\ufeffa')])).toBe('\ufeffa')
  })

  it('replaces bytes as soon as they are proven wrong', () => {
    expect(oneByOne(bytes(0xff, 0x61))).toEqual(['\ufffd', 'a', ''])
    expect(oneByOne(bytes(0xe4, 0x61))).toEqual(['', '\ufffda', ''])
  })

  it('replaces a character that never ends only at the end', () => {
    expect(oneByOne(bytes(0x61, 0xf0, 0x9f, 0x98))).toEqual(['a', '', '', '', '\ufffd'])
  })

  it('drops control tokens, even inside a character', () => {
    const end = specialTokens.get('<|im_end|>')!
    expect(end).toBeGreaterThanOrEqual(baseVocabulary)
    expect(oneByOne([0xc3, end, 0xa9])).toEqual(['', '', 'é', ''])
  })

  it('gives the same text however the tokens are grouped', () => {
    // A fixed linear congruential sequence: any bytes, mostly not UTF-8.
    let state = 7
    const random = () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31
    for (let round = 0; round < 300; round++) {
      const ids = Array.from({ length: 40 }, () => {
        const high = random() < 0.7 ? 0x80 : 0
        return high + Math.floor(random() * 128)
      })
      const whole = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(ids))
      expect(allAtOnce(ids)).toBe(whole)
      expect(oneByOne(ids).join('')).toBe(whole)
    }
  })
})
