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

describe('createTaskGate()', () => {
  it('lets the next task in when one ends, in order', async () => {
    const gate = createTaskGate(2)
    const tasks = [heldTask(), heldTask(), heldTask(), heldTask()]
    const results = tasks.map((task) => gate(task.start, never))
    await settle()
    expect(tasks.map((task) => task.started())).toEqual([true, true, false, false])
    tasks[1]!.end()
    await settle()
    expect(tasks.map((task) => task.started())).toEqual([true, true, true, false])
    for (const task of tasks) task.end()
    expect(await Promise.all(results)).toEqual(['done', 'done', 'done', 'done'])
  })

  it('forgets a waiting task that is aborted', async () => {
    const gate = createTaskGate(1)
    const [first, second, third] = [heldTask(), heldTask(), heldTask()]
    const abort = new AbortController()
    const running = gate(first.start, never)
    const waiting = gate(second.start, abort.signal)
    const last = gate(third.start, never)
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
    const gate = createTaskGate(1)
    const [first, second] = [heldTask(), heldTask()]
    const abort = new AbortController()
    const running = gate(first.start, abort.signal)
    const waiting = gate(second.start, never)
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
    const gate = createTaskGate(1)
    await expect(gate(() => Promise.reject(new Error('broken')), never)).rejects.toThrow('broken')
    await expect(gate(() => Promise.resolve(7), never)).resolves.toBe(7)
  })

  it('does not start what was aborted before', async () => {
    const task = heldTask()
    await expect(createTaskGate(1)(task.start, AbortSignal.abort())).rejects.toThrow('abort')
    expect(task.started()).toBe(false)
  })
})
