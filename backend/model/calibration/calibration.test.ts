import { describe, expect, it } from 'vitest'
import { readTokenizerFile } from '../config/tokenizer-file.ts'
import { converterVersion } from '../convert/manifest.ts'
import { calibrationSet, calibrationSetHash } from './calibration-set.ts'
import { calibrationTexts } from './calibration-texts.ts'
import { roughEncoder } from './encode-roughly.ts'

const tokens = await readTokenizerFile('models/kimi-vl-nano')
const { bytes, starts } = tokens.tokenBytes
const bytesOf = (id: number) => bytes.slice(starts[id], starts[id + 1])

describe('roughEncoder()', () => {
  const encode = roughEncoder(tokens.tokenBytes)

  it('encodes any text', () => {
    const text = 'A red circle on a white background. \u957f\u57ce\n\u0000\u{1f534}'
    expect(Buffer.concat(encode(text).map(bytesOf)).toString()).toBe(text)
    expect(encode('')).toEqual([])
  })

  it('takes the longest token that fits', () => {
    let rest = Buffer.from('A red circle on a white background.')
    for (const id of encode(rest.toString())) {
      const fitting = Array.from({ length: starts.length - 1 }, (_, other) => bytesOf(other))
        .filter((token) => rest.subarray(0, token.length).equals(token))
        .map((token) => token.length)
      expect(bytesOf(id)).toHaveLength(Math.max(...fitting))
      rest = rest.subarray(bytesOf(id).length)
    }
  })
})

describe('the calibration set', () => {
  it('is the one that this version of the converter measures with', () => {
    expect({ converterVersion, set: calibrationSetHash() }).toEqual({
      converterVersion: 9,
      set: '28130295999ca2c2945201261d78e9f8c513dd3ab62e5758fb3ee8f05940d14c',
    })
  })

  it('has a placeholder for each token of a picture, and ends every answer', () => {
    const preprocessor = { patchSize: 14, mergeSize: 2 }
    const texts = calibrationTexts(tokens, preprocessor)
    expect(texts).toHaveLength(calibrationSet.length)
    const [pad, end] = ['<|media_pad|>', '<|im_end|>'].map((name) => tokens.specialTokens.get(name))
    for (const { promptIds, answerIds, images } of texts) {
      const patches = images.map(({ gridHw: [rows, columns] }) => rows * columns)
      const placeholders = promptIds.filter((id) => id === pad).length
      expect(placeholders).toBe(patches.reduce((sum, count) => sum + count / 4, 0))
      expect(answerIds.at(-1)).toBe(end)
    }
  })
})
