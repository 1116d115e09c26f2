import { describe, expect, it } from 'vitest'
import type { SequenceStatus } from '../jobs/phase-clock.ts'
import { chooseImage, planStep, promptsOfSmallTenants, streamsOfSmallTenants } from './scheduler.ts'

const limits = { stepTokenBudget: 10, prefillChunkTokens: 6 }

function sequence(name: string, status: SequenceStatus, promptLeft = 0, tenant = 'someone') {
  return { name, tenant, status, promptLeft }
}

/** The plan as `name:tokens`. */
function plan(running: ReturnType<typeof sequence>[], turn: number): string[] {
  return planStep(running, limits, turn).map((row) => `${row.sequence.name}:${row.tokens}`)
}

const oldestsTurn = 8

describe('planStep()', () => {
  it('gives every decoding sequence its token first', () => {
    expect(plan([sequence('a', 'prefill', 9), sequence('b', 'decode')], 1)).toEqual(['b:1', 'a:6'])
  })

  it('reads the shortest rests of prompts first, in every eighth turn the oldest prompt', () => {
    const prompts = [
      sequence('a', 'prefill', 90),
      sequence('b', 'prefill', 9),
      sequence('c', 'prefill', 1),
    ]
    const turns = [1, 2, 7, oldestsTurn].map((turn) => plan(prompts, turn))
    expect(turns).toEqual([
      ['c:1', 'b:6', 'a:3'],
      ['c:1', 'b:6', 'a:3'],
      ['c:1', 'b:6', 'a:3'],
      ['a:6', 'b:4'],
    ])
  })

  it('reads prompts of the tenants with the fewest sequences, without those of others', () => {
    const running = [
      sequence('a', 'prefill', 5),
      sequence('b', 'decode'),
      sequence('c', 'prefill', 90, 'another'),
    ]
    expect(plan(running, 1)).toEqual(['b:1', 'c:6'])
    expect(plan(running, oldestsTurn)).toEqual(['b:1', 'a:5', 'c:4'])
  })

  it('leaves out sequences that wait for an image or have ended', () => {
    expect(plan([sequence('a', 'vision', 9), sequence('b', 'ended', 3)], 1)).toEqual([])
  })
})

describe('chooseImage()', () => {
  const running = [
    sequence('a', 'decode'),
    sequence('b', 'vision', 40),
    sequence('c', 'vision', 5),
    sequence('d', 'vision', 50, 'another'),
  ]

  it('takes the most urgent sequence, in every eighth turn the oldest', () => {
    const chosen = [1, 2, 7, oldestsTurn].map((turn) => chooseImage(running, turn)?.name)
    expect(chosen).toEqual(['d', 'd', 'd', 'b'])
  })

  it('takes none when no image is waited for', () => {
    expect(chooseImage([sequence('a', 'prefill', 3)], 1)).toBeUndefined()
  })
})

describe('promptsOfSmallTenants()', () => {
  it('is true when a prompt has a tenant with fewer sequences than all that stream', () => {
    const greedy = [sequence('a', 'decode'), sequence('b', 'decode')]
    const prompt = sequence('c', 'prefill', 5, 'another')
    const stream = sequence('d', 'decode', 0, 'a third')
    expect(promptsOfSmallTenants([...greedy, sequence('e', 'prefill', 5)])).toBe(false)
    expect(promptsOfSmallTenants([...greedy, prompt])).toBe(true)
    expect(promptsOfSmallTenants([...greedy, prompt, stream])).toBe(false)
    expect(promptsOfSmallTenants([prompt])).toBe(true)
  })
})

describe('streamsOfSmallTenants()', () => {
  it('is true when a stream has a tenant with fewer sequences than all whose prompts are read', () => {
    const greedy = [sequence('a', 'prefill', 5), sequence('b', 'decode')]
    const stream = sequence('c', 'decode', 0, 'another')
    const prompt = sequence('d', 'prefill', 9, 'a third')
    expect(streamsOfSmallTenants(greedy)).toBe(false)
    expect(streamsOfSmallTenants([...greedy, stream])).toBe(true)
    expect(streamsOfSmallTenants([...greedy, stream, prompt])).toBe(false)
  })
})
