import { describe, expect, it } from 'vitest'
import { createTaskGate } from './task-gate.ts'

/** A task that ends when told to. */
function heldTask() {
  let end = () => {}
  let started = false
  const done = new Promise<string>((resolve) => {
    end = () => resolve('done')
  })
  const start = () => {
    started = true
    return done
  }
  return { start, end: () => end(), started: () => started }
}

const settle = () => new Promise((resolve) => setImmediate(resolve))
const never = new AbortController().signal
const task = { tenant: 'anyone', estimatedWork: 1, memoryBytes: 0 }

interface GateOptions {
  readonly weights?: Map<string, number> | undefined
  readonly spare?: number
  readonly memoryBytes?: number
  readonly keptBytes?: number
}

function gateOf(
  limit: number,
  { weights = new Map(), spare = 0, memoryBytes = 0, keptBytes = 0 }: GateOptions = {},
) {
  let time = 0
  const gate = createTaskGate({ limit, spare, memoryBytes, keptBytes, weights, now: () => time })
  return { gate, pass: (ms: number) => void (time += ms) }
}

describe('createTaskGate()', () => {
  it('lets the next task in when one ends, in order', async () => {
    const { gate } = gateOf(2)
    const tasks = [heldTask(), heldTask(), heldTask(), heldTask()]
    const results = tasks.map(({ start }) => gate(start, task, never))
    await settle()
    expect(tasks.map(({ started }) => started())).toEqual([true, true, false, false])
    tasks[1]!.end()
    await settle()
    expect(tasks.map(({ started }) => started())).toEqual([true, true, true, false])
    for (const { end } of tasks) end()
    expect(await Promise.all(results)).toEqual(['done', 'done', 'done', 'done'])
  })

  it('forgets a waiting task that is aborted', async () => {
    const { gate } = gateOf(1)
    const [first, second, third] = [heldTask(), heldTask(), heldTask()]
    const abort = new AbortController()
    const running = gate(first.start, task, never)
    const waiting = gate(second.start, task, abort.signal)
    const last = gate(third.start, task, never)
    abort.abort(new Error('left'))
    await expect(waiting).rejects.toThrow('left')
    first.end()
    await running
    await settle()
    expect([second.started(), third.started()]).toEqual([false, true])
    third.end()
    await last
  })

  it('answers an aborted task at once but keeps its place taken until it ends', async () => {
    const { gate } = gateOf(1)
    const [first, second] = [heldTask(), heldTask()]
    const abort = new AbortController()
    const running = gate(first.start, task, abort.signal)
    const waiting = gate(second.start, task, never)
    await settle()
    abort.abort(new Error('left'))
    await expect(running).rejects.toThrow('left')
    expect(second.started()).toBe(false)
    first.end()
    await settle()
    expect(second.started()).toBe(true)
    second.end()
    await waiting
  })

  it('goes on after a task that fails', async () => {
    const { gate } = gateOf(1)
    await expect(gate(() => Promise.reject(new Error('broken')), task, never)).rejects.toThrow(
      'broken',
    )
    await expect(gate(() => Promise.resolve(7), task, never)).resolves.toBe(7)
  })

  it('does not start what was aborted before', async () => {
    const { start, started } = heldTask()
    await expect(gateOf(1).gate(start, task, AbortSignal.abort())).rejects.toThrow('abort')
    expect(started()).toBe(false)
  })

  /** Starts `names` in turn, each a task of the tenant its first letter names. @returns their order when each takes `ms` */
  async function orderOf(names: readonly string[], ms: number, weights?: Map<string, number>) {
    const { gate, pass } = gateOf(1, { weights })
    const order: string[] = []
    await Promise.all(
      names.map((name) => {
        const work = async () => {
          order.push(name)
          await settle()
          pass(ms)
        }
        return gate(work, { ...task, tenant: name[0]! }, never)
      }),
    )
    return order.join(' ')
  }

  it('lets a tenant with one task pass by one with many', async () => {
    expect(await orderOf(['a1', 'a2', 'a3', 'a4', 'b1'], 100)).toBe('a1 b1 a2 a3 a4')
  })

  it('shares time by weight, whatever tasks were expected to take', async () => {
    const names = ['a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'a4', 'b4']
    expect(await orderOf(names, 100)).toBe('a1 b1 a2 b2 a3 b3 a4 b4')
    expect(await orderOf(names, 100, new Map([['a', 3]]))).toBe('a1 b1 a2 a3 b2 a4 b3 b4')
  })

  /** Lets tasks in, each named after its tenant and number. @returns the names of those that run */
  function crowd(gate: ReturnType<typeof createTaskGate>) {
    const tasks = new Map<string, ReturnType<typeof heldTask>>()
    return {
      add: async (name: string, memoryBytes = 0) => {
        tasks.set(name, heldTask())
        void gate(
          tasks.get(name)!.start,
          { tenant: name[0]!, estimatedWork: 1, memoryBytes },
          never,
        )
        await settle()
      },
      end: async (name: string) => {
        tasks.get(name)!.end()
        tasks.delete(name)
        await settle()
      },
      running: () => [...tasks].filter(([, held]) => held.started()).map(([name]) => name),
    }
  }

  it('keeps a place more for a tenant that has no task running', async () => {
    const { add, end, running } = crowd(gateOf(2, { spare: 1 }).gate)
    for (const name of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) await add(name)
    expect(running()).toEqual(['a1', 'a2', 'b1'])
    await end('b1')
    expect(running()).toEqual(['a1', 'a2', 'c1'])
  })

  it('counts the time that running tasks really take, not what they were estimated', async () => {
    const { gate, pass } = gateOf(2)
    const { add, end, running } = crowd(gate)
    await add('a1')
    pass(500)
    await add('b1')
    for (const name of ['a2', 'b2']) await add(name)
    pass(1_000)
    await end('b1')
    expect(running()).toEqual(['a1', 'b2'])
  })

  it('bounds the memory of running tasks, and lets those that fit pass', async () => {
    const { add, end, running } = crowd(gateOf(8, { memoryBytes: 100 }).gate)
    await add('a1', 70)
    await add('b1', 70)
    await add('c1', 20)
    expect(running()).toEqual(['a1', 'c1'])
    await end('a1')
    expect(running()).toEqual(['b1', 'c1'])
  })

  it('runs what is over the memory there is, alone', async () => {
    const { add, end, running } = crowd(gateOf(8, { memoryBytes: 100 }).gate)
    await add('a1', 500)
    await add('b1', 1)
    expect(running()).toEqual(['a1'])
    await end('a1')
    expect(running()).toEqual(['b1'])
  })

  it('keeps some memory for small tasks of tenants that have none running', async () => {
    const { add, end, running } = crowd(gateOf(8, { memoryBytes: 100, keptBytes: 20 }).gate)
    await add('a1', 500)
    await add('b1', 15)
    await add('b2', 1)
    await add('c1', 10)
    await add('d1', 5)
    expect(running()).toEqual(['a1', 'b1', 'd1'])
    await end('b1')
    expect(running()).toEqual(['a1', 'b2', 'c1', 'd1'])
  })

  it('gives that memory even while others wait that must not be passed any more', async () => {
    const { add, end, running } = crowd(gateOf(8, { memoryBytes: 100, keptBytes: 20 }).gate)
    await add('a1', 60)
    await add('b1', 60)
    for (let passed = 0; passed < 1_000; passed++) {
      await add(`c${passed}`, 30)
      if (!running().includes(`c${passed}`)) break
      await end(`c${passed}`)
    }
    await add('d1', 20)
    expect(running()).toEqual(['a1', 'd1'])
  })

  it('leaves half of the memory to others, but for the first task of a tenant', async () => {
    const { add, running } = crowd(gateOf(8, { memoryBytes: 100 }).gate)
    for (const name of ['a1', 'a2', 'a3']) await add(name, 25)
    await add('b1', 40)
    expect(running()).toEqual(['a1', 'a2', 'b1'])
  })

  it('lets a task that waits for memory be passed, but not for ever', async () => {
    const { add, end, running } = crowd(gateOf(2, { memoryBytes: 100 }).gate)
    await add('a1', 60)
    await add('b1', 60)
    let passed = 0
    for (; passed < 1_000; passed++) {
      await add(`c${passed}`, 1)
      if (!running().includes(`c${passed}`)) break
      await end(`c${passed}`)
    }
    expect(passed).toBeGreaterThan(10)
    expect(passed).toBeLessThan(1_000)
    await end('a1')
    expect(running()).toContain('b1')
  })
})
