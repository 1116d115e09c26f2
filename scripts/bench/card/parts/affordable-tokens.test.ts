import { describe, expect, it } from 'vitest'
import { callerSizes, mixedSizes, promptRounds } from './affordable-tokens.ts'

/** Bytes of the full decoder's weights on a card. */
const weightBytes = 18.7e9

const fast = { eightBitGigaflops: 60_000, weightBytes }
const slow = { eightBitGigaflops: 10_000, weightBytes }
const slowest = { eightBitGigaflops: 100, weightBytes }

describe('what a card is asked for', () => {
  it('is as usual where there is time for it', () => {
    expect(callerSizes(fast, 32)).toEqual({ prompt: 256, answer: 64 })
    expect(promptRounds(fast)).toEqual({ prompts: [256, 1024], rounds: 3 })
  })

  it('is what the rate of its products allows', () => {
    const seconds = (tokens: number) => (2 * weightBytes * tokens) / (0.6 * 10e12)
    const { prompt, answer, longPrompt } = mixedSizes(slow, 1000)
    const mean = ([least, most]: readonly [number, number]) => (least + most) / 2
    expect(seconds(1000 * (mean(prompt) + mean(answer)) + 20 * longPrompt!)).toBeLessThan(60)
    const { prompts, rounds } = promptRounds(slow)
    const read = prompts.reduce((sum, tokens) => sum + tokens, 0)
    expect(seconds((1 + rounds) * read)).toBeLessThan(25)
  })

  it('is never nothing', () => {
    expect(callerSizes(slowest, 32)).toEqual({ prompt: 16, answer: 64 })
    expect(promptRounds(slowest)).toEqual({ prompts: [256], rounds: 1 })
    expect(mixedSizes(slowest, 1000)).toEqual({ prompt: [2, 4], answer: [1, 4], longPrompt: 80 })
  })
})
