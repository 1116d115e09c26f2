import { describe, expect, it } from 'vitest'
import { chooseAdmissions, chooseImage, planStep } from './scheduler.ts'
import type { SequenceStatus } from './step-plan.ts'

const limits = { stepTokenBudget: 10, prefillChunkTokens: 6 }

function sequence(name: string, status: SequenceStatus, promptLeft = 0) {
  return { name, status, promptLeft }
}

/** The plan as `name:tokens`. */
function plan(...running: ReturnType<typeof sequence>[]): string[] {
  return planStep(running, limits).map((row) => `${row.sequence.name}:${row.tokens}`)
}

describe('planStep()', () => {
  it('gives every decoding sequence its token first', () => {
    expect(plan(sequence('a', 'prefill', 9), sequence('b', 'decode'))).toEqual(['b:1', 'a:6'])
  })

  it('shares what is left among prompts, first come first served', () => {
    const prompts = [
      sequence('a', 'prefill', 4),
      sequence('b', 'prefill', 9),
      sequence('c', 'prefill', 1),
    ]
    expect(plan(...prompts)).toEqual(['a:4', 'b:6'])
    expect(plan(sequence('d', 'decode'), ...prompts)).toEqual(['d:1', 'a:4', 'b:5'])
  })

  it('leaves out sequences that wait for an image or have ended', () => {
    expect(plan(sequence('a', 'vision', 9), sequence('b', 'ended', 3))).toEqual([])
  })
})

describe('chooseAdmissions()', () => {
  it('takes as many as there are free slots, in order', () => {
    expect(chooseAdmissions(['a', 'b', 'c'], 2)).toEqual(['a', 'b'])
    expect(chooseAdmissions(['a'], 0)).toEqual([])
  })
})

describe('chooseImage()', () => {
  it('takes the sequence that has waited longest', () => {
    const running = [sequence('a', 'decode'), sequence('b', 'vision'), sequence('c', 'vision')]
    expect(chooseImage(running)?.name).toBe('b')
    expect(chooseImage([sequence('a', 'prefill', 3)])).toBeUndefined()
  })
})
