import { describe, expect, it } from 'vitest'
import { draftLengths } from './draft-lengths.ts'

const flat = () => 10
/** A step of n rows takes as long as n steps. */
const proportional = (rows: number) => rows
/** What a card takes: two rows are a little more than one, and more of them nothing. */
const card = (rows: number) => (rows === 1 ? 8 : 9)

const stream = (acceptance: number, most = 7) => ({ acceptance, most })

describe('draftLengths', () => {
  it('takes all there is where rows cost nothing', () => {
    expect(draftLengths([stream(0.6)], 8, flat)).toEqual([7])
    expect(draftLengths([stream(0.6, 3)], 8, flat)).toEqual([3])
  })

  it('takes as much while costs are unknown', () => {
    expect(draftLengths([stream(0.6)], 8, () => 0)).toEqual([7])
  })

  it('takes nothing where each row costs as much as a step', () => {
    expect(draftLengths([stream(0.99)], 8, proportional)).toEqual([0])
    expect(draftLengths([stream(0.9), stream(0.9)], 8, proportional)).toEqual([0, 0])
  })

  it('weighs the likely against their cost', () => {
    const dear = (rows: number) => 10 + 3 * (rows - 1)
    expect(draftLengths([stream(0.9)], 8, dear)[0]).toBeGreaterThan(2)
    expect(draftLengths([stream(0.5)], 8, dear)).toEqual([1])
    expect(draftLengths([stream(0.2)], 8, dear)).toEqual([0])
    expect(draftLengths([stream(0.3)], 8, card)[0]).toBeGreaterThan(0)
    expect(draftLengths([stream(0.1)], 8, card)).toEqual([0])
  })

  it('divides rows among streams by their chances', () => {
    expect(draftLengths([stream(0.7), stream(0.5)], 6, flat)).toEqual([3, 1])
    expect(draftLengths([stream(0.5), stream(0.5)], 4, flat)).toEqual([1, 1])
    expect(draftLengths([stream(0.9, 0), stream(0.5)], 4, flat)).toEqual([0, 2])
  })

  it('leaves no row to drafts where the streams fill the step', () => {
    expect(draftLengths([stream(1), stream(1)], 2, flat)).toEqual([0, 0])
  })

  it('does not slow down a stream that has no draft', () => {
    const dear = (rows: number) => 10 + 2 * (rows - 1)
    expect(draftLengths([stream(1)], 8, dear)).toEqual([7])
    expect(draftLengths([stream(1), stream(0, 0)], 8, dear)).toEqual([0, 0])
  })

  it('passes over a number of rows that is dear by itself', () => {
    const steps = (rows: number) => (rows > 1 && rows < 5 ? 30 : 10)
    expect(draftLengths([stream(0.9)], 8, steps)).toEqual([7])
  })
})
