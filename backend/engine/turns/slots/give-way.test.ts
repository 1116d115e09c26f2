import { describe, expect, it } from 'vitest'
import { chooseToPause, chooseToRotate, mayHoldSlot } from './give-way.ts'

const any = () => true
const newcomer = { tenant: 'new', priority: 'interactive' as const }
const holder = (tenant: string, changes: Partial<Parameters<typeof chooseToPause>[0][0]> = {}) => ({
  tenant,
  priority: 'interactive' as const,
  turns: 100,
  weight: 1,
  ...changes,
})

describe('chooseToPause()', () => {
  it('takes the longest of the tenant that holds most', () => {
    const [a, b, c] = [holder('one'), holder('many'), holder('many')]
    expect(chooseToPause([a, b, c], newcomer, any)).toBe(b)
  })

  it('takes batch work first, of tenants that hold equally much', () => {
    const [a, b] = [holder('one'), holder('other', { priority: 'batch' })]
    expect(chooseToPause([a, b], newcomer, any)).toBe(b)
    const many = [holder('many'), holder('many', { priority: 'batch' }), holder('other')]
    expect(chooseToPause(many, newcomer, any)).toBe(many[1])
  })

  it('spares the only slot of a tenant while another holds more', () => {
    const running = [holder('one'), holder('many', { turns: 1 }), holder('many', { turns: 2 })]
    expect(chooseToPause(running, newcomer, any)).toBeUndefined()
  })

  it('takes none before it had its turns, by the weight of its tenant', () => {
    const chosen = (turns: number, weight: number) =>
      chooseToPause([holder('one', { turns, weight })], newcomer, any) !== undefined
    expect([15, 16].map((turns) => chosen(turns, 1))).toEqual([false, true])
    expect([47, 48].map((turns) => chosen(turns, 3))).toEqual([false, true])
  })

  it('leaves interactive work sixteen times as long for batch work', () => {
    const chosen = (turns: number) =>
      chooseToPause([holder('one', { turns })], { ...newcomer, priority: 'batch' }, any)
    expect([255, 256].map((turns) => chosen(turns) !== undefined)).toEqual([false, true])
  })

  it('takes none that may not be stopped, and none of the newcomer’s own', () => {
    const [a, b] = [holder('many'), holder('many')]
    expect(chooseToPause([a, b], newcomer, (other) => other !== a)).toBe(b)
    expect(chooseToPause([a, b], { ...newcomer, tenant: 'many' }, any)).toBeUndefined()
    expect(chooseToPause([], newcomer, any)).toBeUndefined()
  })
})

describe('chooseToRotate()', () => {
  const running = [holder('other'), holder('many', { turns: 3 }), holder('many')]

  it('takes the longest of the same tenant that had its turns, when the other waited as long', () => {
    expect(chooseToRotate(running, holder('many', { turns: 16 }), any)).toBe(running[2])
    expect(chooseToRotate(running, holder('many', { turns: 15 }), any)).toBeUndefined()
    expect(chooseToRotate(running, holder('third'), any)).toBeUndefined()
  })
})

it('mayHoldSlot() leaves one slot free of batch work, where there are several', () => {
  const most = (priority: 'batch' | 'interactive', count: number) => {
    const running: { priority: typeof priority }[] = []
    while (running.length < count && mayHoldSlot({ priority }, running, count)) {
      running.push({ priority })
    }
    return running.length
  }
  expect([1, 2, 8].map((count) => most('batch', count))).toEqual([1, 1, 7])
  expect([1, 2, 8].map((count) => most('interactive', count))).toEqual([1, 2, 8])
})
