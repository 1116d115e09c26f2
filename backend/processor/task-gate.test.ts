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
const task = { tenant: 'anyone', estimatedWork: 1 }

function gateOf(limit: number, weights = new Map<string, number>()) {
  let time = 0
  const gate = createTaskGate({ limit, weights, now: () => time })
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
    const { gate, pass } = gateOf(1, weights)
    const order: string[] = []
    await Promise.all(
      names.map((name) => {
        const work = async () => {
          order.push(name)
          await settle()
          pass(ms)
        }
        return gate(work, { tenant: name[0]!, estimatedWork: 1 }, never)
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
})
