import { describe, expect, it } from 'vitest'
import { FairQueue } from './fair-queue.ts'

interface Item {
  readonly name: string
  readonly tenant: string
  readonly estimatedWork: number
  readonly group?: object
}

function item(name: string, estimatedWork = 10): Item {
  return { name, tenant: name[0]!, estimatedWork }
}

function queueOf(items: readonly Item[], weights: Record<string, number> = {}): FairQueue<Item> {
  const queue = new FairQueue<Item>(new Map(Object.entries(weights)))
  for (const each of items) queue.add(each)
  return queue
}

/** Runs one item after the other, each to its end, which costs what was estimated unless `cost` tells. */
function run(queue: FairQueue<Item>, count: number, cost = (done: Item) => done.estimatedWork) {
  return Array.from({ length: count }, () => {
    const taken = queue.take()!
    queue.settle(taken, cost(taken))
    return taken.name
  })
}

const many = (tenant: string, count: number, work?: number) =>
  Array.from({ length: count }, (_, index) => item(`${tenant}${index}`, work))

describe('FairQueue', () => {
  it('is first come, first served for one tenant', () => {
    expect(run(queueOf(many('a', 4)), 4)).toEqual(['a0', 'a1', 'a2', 'a3'])
  })

  it('gives the groups of one tenant turns, and the items of a group their order', () => {
    const [long, short, late] = [{}, {}, {}]
    const queue = queueOf([
      ...many('a', 4).map((each) => ({ ...each, group: long })),
      { ...item('as'), group: short },
    ])
    expect(run(queue, 2)).toEqual(['a0', 'as'])
    queue.add({ ...item('al'), group: late })
    expect(run(queue, 4)).toEqual(['a1', 'al', 'a2', 'a3'])
  })

  it('offers the first of each group, and removes one without a turn of its group', () => {
    const [one, two] = [{}, {}]
    const [first, second] = many('a', 2).map((each) => ({ ...each, group: one }))
    const queue = queueOf([first!, second!, { ...item('ab'), group: two }])
    queue.remove(first!)
    const offered: string[] = []
    queue.peek(({ name }) => {
      offered.push(name)
      return false
    })
    expect(offered).toEqual(['a1', 'ab'])
    expect([queue.size, queue.waitingOf('a')]).toEqual([2, 2])
    expect(queue.take(({ name }) => name === 'ab')?.name).toBe('ab')
    expect(run(queue, 1)).toEqual(['a1'])
  })

  it('gives tenants turns', () => {
    const queue = queueOf([...many('a', 3), ...many('b', 3)])
    expect(run(queue, 6)).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2'])
  })

  it('shares work, not jobs', () => {
    const queue = queueOf([...many('a', 9, 30), ...many('b', 9, 10)])
    expect(run(queue, 8).filter((name) => name.startsWith('b'))).toHaveLength(6)
  })

  it('shares by weight', () => {
    const queue = queueOf([...many('a', 99), ...many('b', 99)], { a: 3 })
    expect(run(queue, 40).filter((name) => name.startsWith('a'))).toHaveLength(30)
  })

  it('goes by what jobs really cost, whatever was estimated', () => {
    const queue = queueOf([...many('a', 99, 1_000), ...many('b', 99, 10)])
    const cost = ({ tenant }: Item) => (tenant === 'a' ? 10 : 20)
    const names = run(queue, 60, cost)
    expect(names.filter((name) => name.startsWith('a'))).toHaveLength(40)
  })

  it('counts what runs as it was estimated', () => {
    const queue = queueOf([...many('a', 9, 30), ...many('b', 9, 10)])
    const taken = Array.from({ length: 8 }, () => queue.take()!.tenant)
    expect(taken.toSorted()).toEqual(['a', 'a', 'b', 'b', 'b', 'b', 'b', 'b'])
  })

  it('lets a tenant that comes later be next, without credit for its absence', () => {
    const queue = queueOf(many('a', 99))
    run(queue, 50)
    for (const late of many('b', 20)) queue.add(late)
    const names = run(queue, 20)
    expect(names[0]).toBe('b0')
    expect(names.filter((name) => name.startsWith('b'))).toHaveLength(10)
  })

  it('puts a newcomer before a tenant whose running jobs were estimated too high', () => {
    const queue = queueOf(many('a', 9, 1_000))
    const running = Array.from({ length: 4 }, () => queue.take()!)
    for (const late of many('b', 4, 10)) queue.add(late)
    for (const done of running) queue.settle(done, 10)
    // 40 are settled for a by now, so b has four of its ten first.
    expect(run(queue, 5, () => 10)).toEqual(['b0', 'b1', 'b2', 'b3', 'a4'])
  })

  it('remembers a tenant that was far ahead when it left, until the others have caught up', () => {
    const queue = queueOf([...many('a', 9), item('b', 10)])
    queue.settle(queue.take()!, 10)
    queue.settle(queue.take()!, 60)
    queue.add(item('b1'))
    // Level at 60, b had its turn longer ago.
    expect(run(queue, 7)).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'a6'])
  })

  it('forgets everything when nothing waits or runs', () => {
    const queue = queueOf(many('a', 3))
    run(queue, 3, () => 1_000)
    for (const each of [item('b', 10), item('a', 10), item('b', 10)]) queue.add(each)
    expect(run(queue, 2)).toEqual(['b', 'a'])
  })

  it('leaves out what was removed, and charges nobody for it', () => {
    const items = [...many('a', 3), ...many('b', 3)]
    const queue = queueOf(items)
    queue.remove(items[1]!)
    queue.remove(items[1]!)
    expect([queue.size, queue.work]).toEqual([5, 50])
    expect(run(queue, 5)).toEqual(['a0', 'b0', 'a2', 'b1', 'b2'])
    expect(queue.take()).toBeUndefined()
    expect([queue.size, queue.work]).toEqual([0, 0])
  })

  it('reports how many go before a newcomer', () => {
    const queue = queueOf([...many('a', 5, 10), ...many('b', 2, 20)])
    expect(['a', 'b', 'c'].map((tenant) => queue.before(tenant))).toEqual([7, 6, 0])
  })

  it('keeps to what it reports, in a random mix', () => {
    let state = 1
    const random = (below: number) => (state = (state * 48_271) % 2_147_483_647) % below
    for (let round = 0; round < 200; round++) {
      const items = Array.from({ length: 12 }, (_, index) =>
        item(`${'abc'[random(3)]}${index}`, 1 + random(50)),
      )
      const queue = queueOf(items, { b: 2 })
      for (let i = 0; i < 3; i++) queue.take()
      const told = queue.before('c')
      queue.add(item('c-last', 1))
      let taken = 0
      while (queue.take()!.name !== 'c-last') taken += 1
      // Ties go to whoever had a turn longest ago, which it does not look into.
      expect(Math.abs(taken - told)).toBeLessThanOrEqual(1)
    }
  })
})
