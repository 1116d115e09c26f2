import { describe, expect, it } from 'vitest'
import { FakeProcessor } from '../../test/support/backends/test-backend.ts'
import { ChoiceText } from './choice-text.ts'
import type { SampledLogprobs } from '../engine/job.ts'
import { createDetokenizer } from '../processor/text/detokenizer.ts'
import type { Processor } from '../processor/processor.ts'

/** Each byte is a token; ids from 256 up are pairs of bytes: 256 + 256 * first + second. */
class ByteProcessor extends FakeProcessor {
  override createDetokenizer() {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const starts = Uint32Array.from({ length: 257 }, (_, id) => id)
    const detokenizer = createDetokenizer({ bytes, starts })
    const bytesOf = (id: number) => (id < 256 ? [id] : [(id - 256) >> 8, (id - 256) & 255])
    return {
      push: (ids: readonly number[]) => detokenizer.push(ids.flatMap(bytesOf)),
      flush: () => detokenizer.flush(),
    }
  }
}

const processor: Processor = new ByteProcessor()
const bytesOf = (text: string) => [...new TextEncoder().encode(text)]
const logprobsOf = (ids: number[]): SampledLogprobs[] =>
  ids.map((id, index) => ({ id, logprob: -index, top: [{ id, logprob: -index }] }))

/** All of an answer, its tokens given in groups of `size`. */
function run(ids: number[], stops: string[], size = 1, reasons = false) {
  const choice = new ChoiceText(processor, stops, reasons)
  const parts = []
  for (let at = 0; at < ids.length; at += size) {
    const group = ids.slice(at, at + size)
    parts.push(choice.push(group, logprobsOf(ids).slice(at, at + size)))
  }
  parts.push(choice.flush())
  return {
    thought: parts.map(({ thought = '' }) => thought).join(''),
    text: parts.map(({ text }) => text).join(''),
    told: parts.flatMap(({ logprobs }) => logprobs.map(({ id }) => id)),
    stopped: choice.stopped,
    tokens: ids.length - choice.ignoredTokens,
    thoughtTokens: choice.thoughtTokens,
    parts,
  }
}

/** The bytes of a text as tokens, in every way to pair neighbours that `mask` can name. */
function tokenize(text: string, mask: number): number[] {
  const bytes = bytesOf(text)
  const ids: number[] = []
  for (let at = 0; at < bytes.length; at++) {
    const pair = at + 1 < bytes.length && ((mask >> (at % 12)) & 1) === 1
    ids.push(pair ? 256 + 256 * bytes[at]! + bytes[++at]! : bytes[at]!)
  }
  return ids
}

describe('ChoiceText', () => {
  it('cuts at a stop string wherever tokens and characters end', () => {
    const answer = 'Ein Kreis 🔴, größer als '
    for (const stop of ['🔴', 'ö', 'ße', 's 🔴, g', ', ']) {
      for (let mask = 0; mask < 4096; mask += 7) {
        const result = run(tokenize(`${answer}${stop} 🔵 ${stop}`, mask), [stop], 1 + (mask % 5))
        expect(result.text).toBe(answer.slice(0, `${answer}${stop}`.indexOf(stop)))
        expect(result.stopped).toBe(true)
      }
    }
  })

  it('counts tokens up to the one that completes the stop string, however they are grouped', () => {
    for (const size of [1, 2, 3, 50]) {
      expect(run(bytesOf('One. Two. Three'), ['. T'], size).tokens).toBe(6)
    }
  })

  it('gives out what was held back when no stop string comes', () => {
    const { text, stopped, parts } = run(bytesOf('so close: EN'), ['END'])
    expect([text, stopped]).toEqual(['so close: EN', false])
    expect(parts.at(-1)!.text).toBe('EN')
  })

  it('returns log probabilities with the text they belong to', () => {
    const choice = new ChoiceText(processor, ['END'])
    const parts = ['a', 'E', 'N', 'x', 'E'].map((text) => {
      const ids = bytesOf(text)
      const { logprobs, ...part } = choice.push(ids, logprobsOf(ids))
      return { ...part, tokens: logprobs.map(({ token }) => token) }
    })
    expect(parts).toEqual([
      { text: 'a', tokens: ['a'] },
      { text: '', tokens: [] },
      { text: '', tokens: [] },
      { text: 'ENx', tokens: ['E', 'N', 'x'] },
      { text: '', tokens: [] },
    ])
    expect(choice.flush()).toMatchObject({ text: 'E', logprobs: [{ token: 'E' }] })
  })

  it('returns no log probabilities of tokens that are cut off completely', () => {
    const ids = [...bytesOf('ab'), 256 + 256 * 99 + 69, ...bytesOf('NDx')]
    const { text, told } = run(ids, ['END'])
    expect(text).toBe('abc')
    expect(told).toEqual(ids.slice(0, 3))
  })

  it('returns log probabilities of all tokens of a character', () => {
    const ids = bytesOf('é🔴')
    for (const size of [1, 2, 3, 9]) expect(run(ids, [], size).told).toEqual(ids)
  })

  describe('of a model that thinks', () => {
    const thinking = '◁think▷\nEin Kreis. 🔴◁/think▷\n'
    const answer = '🔴 Ein Kreis.'

    it('keeps the thought apart, wherever tokens and characters end', () => {
      for (let mask = 0; mask < 4096; mask += 7) {
        const ids = tokenize(thinking + answer, mask)
        const { thought, text } = run(ids, [], 1 + (mask % 5), true)
        expect([thought, text]).toEqual(['Ein Kreis. 🔴', answer])
      }
    })

    it('separates tokens and log probabilities of thought and answer', () => {
      const [own, ids] = [bytesOf(thinking), bytesOf(answer)]
      for (const size of [1, 2, 3, 90]) {
        const { told, thoughtTokens } = run([...own, ...ids], [], size, true)
        expect(told).toEqual(ids)
        expect(thoughtTokens).toBe(own.length)
      }
    })

    it('returns them for an answer without a thought, even if it begins like one', () => {
      const ids = bytesOf('◁this END')
      const { text, told, thoughtTokens } = run(ids, ['END'], 1, true)
      expect(text).toBe('◁this ')
      expect(told).toEqual(bytesOf('◁this '))
      expect(thoughtTokens).toBe(0)
    })

    it('searches for stop strings in the answer only', () => {
      const { thought, text, stopped } = run(bytesOf(thinking + answer), ['Kreis'], 1, true)
      expect([thought, text, stopped]).toEqual(['Ein Kreis. 🔴', '🔴 Ein ', true])
    })

    it.each([
      ['◁think▷Hm', 'Hm'],
      ['◁thi', ''],
      ['◁think▷Hm◁/th', 'Hm'],
      ['◁think▷Hm◁/think▷ ', 'Hm'],
    ])('has thought all along when it ends with %j', (written, thought) => {
      const ids = bytesOf(written)
      const result = run(ids, [], 1, true)
      expect(result).toMatchObject({ thought, text: '', told: [], thoughtTokens: ids.length })
    })
  })
})
