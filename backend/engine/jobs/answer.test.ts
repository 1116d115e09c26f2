import { describe, expect, it } from 'vitest'
import { Answer } from './answer.ts'

const facts = () => ({
  cachedTokens: 0,
  timings: { queueMs: 0, visionMs: 0, prefillMs: 0, decodeMs: 0 },
})

/** Tokens of each choice when all run in step, each until it is full or has `wanted` tokens. */
function share(totalTokens: number, wanted: readonly number[], choiceTokens = 1_000): number[] {
  const answer = new Answer({ choices: wanted.length, choiceTokens, totalTokens })
  const tokens = wanted.map(() => 0)
  const open = new Set(wanted.keys())
  while (open.size > 0) {
    for (const choice of open) {
      const full = answer.isFull(choice)
      if (full || tokens[choice] === wanted[choice]) {
        answer.finish(choice, full ? 'length' : 'stop', facts)
        open.delete(choice)
        continue
      }
      answer.add(choice, { id: 1 })
      tokens[choice]! += 1
    }
  }
  expect(answer.completionTokens).toBe(tokens.reduce((sum, count) => sum + count, 0))
  return tokens
}

describe('Answer', () => {
  it.each([
    ['equal parts, the first ones having one more', 20, [99, 99, 99], [7, 7, 6]],
    ['what those leave that end early', 20, [99, 2, 99], [9, 2, 9]],
    ['one token for some and none for others', 2, [99, 99, 99], [1, 1, 0]],
    ['all to one', 20, [99], [20]],
    ['no more than is wanted', 20, [5, 5], [5, 5]],
    ['without limit', Infinity, [50, 70], [50, 70]],
  ])('shares a total among choices: %s', (_, total, wanted, shared) => {
    expect(share(total, wanted)).toEqual(shared)
  })

  it('keeps to the limit of each choice as well', () => {
    expect(share(20, [99, 99], 4)).toEqual([4, 4])
    expect(share(Infinity, [99, 99], 4)).toEqual([4, 4])
  })
})
