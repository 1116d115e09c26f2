import { describe, expect, it } from 'vitest'
import { chooseNextUp as choose } from './next-up.ts'

interface Candidate {
  readonly priority: 'interactive' | 'batch'
  readonly weight: number
  readonly held: number
  readonly hasRoom: boolean
}

const candidate = (changes: Partial<Candidate> = {}): Candidate => ({
  priority: 'interactive',
  weight: 1,
  held: 0,
  hasRoom: true,
  ...changes,
})
const chooseNextUp = (candidates: Parameters<typeof choose<Candidate>>[0]) =>
  choose(candidates, ({ hasRoom }) => hasRoom)
const none = { claims: [], paused: [], first: undefined }

describe('chooseNextUp()', () => {
  it('prefers a tenant without a slot to the first in line, and a sequence that gave way among those', () => {
    const first = candidate({ held: 3 })
    const claims = [candidate(), candidate()]
    expect(chooseNextUp({ ...none, claims, first })).toBe(claims[0])
    expect(chooseNextUp({ ...none, claims })).toBe(claims[0])
  })

  it('leaves the first in line its turn where its tenant weighs more', () => {
    const first = candidate({ held: 1, weight: 3 })
    const claims = [candidate()]
    expect(chooseNextUp({ ...none, claims, first })).toBe(first)
    expect(chooseNextUp({ ...none, claims: [candidate({ weight: 3 })], first })).not.toBe(first)
  })

  it('lets batch work overtake batch work only', () => {
    const [batch, interactive] = [candidate({ priority: 'batch' }), candidate()]
    const chosen = (claim: Candidate, first: Candidate) =>
      chooseNextUp({ ...none, claims: [claim], first: { ...first, held: 1 } }) === claim
    expect(chosen(batch, interactive)).toBe(false)
    expect(chosen(interactive, batch)).toBe(true)
    expect(chosen(batch, batch)).toBe(true)
  })

  it('passes over a claim that finds no memory', () => {
    const first = candidate({ held: 1 })
    const claims = [candidate({ hasRoom: false }), candidate()]
    expect(chooseNextUp({ ...none, claims, first })).toBe(claims[1])
    expect(chooseNextUp({ ...none, claims: claims.slice(0, 1), first })).toBe(first)
  })

  it('prefers what gave way to the first in line, unless its tenants hold more slots', () => {
    const paused = [candidate({ held: 2 }), candidate({ held: 1 })]
    const first = (held: number) => candidate({ held })
    expect(chooseNextUp({ ...none, paused, first: first(1) })).toBe(paused[1])
    const fewer = { ...none, paused: paused.slice(0, 1), first: first(1) }
    expect(chooseNextUp(fewer)).toBe(fewer.first)
  })

  it('lets nothing with a slot overtake what finds no memory', () => {
    const first = candidate({ held: 1, hasRoom: false })
    expect(chooseNextUp({ ...none, first })).toBeUndefined()
    const paused = [candidate({ held: 1, hasRoom: false })]
    expect(chooseNextUp({ ...none, paused, first: candidate({ held: 1 }) })).toBeUndefined()
    expect(chooseNextUp({ ...none, paused: [candidate({ held: 2 })], first })).toBeUndefined()
  })
})
