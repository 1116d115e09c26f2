import { EventEmitter } from 'node:events'
import type { ChildProcess } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import type { FromParts, PartPlan } from './part.ts'
import { runParts } from './run-parts.ts'

const row = (name: string) => ({ name, value: '1', ratio: '', data: {} })

/** How a part behaves in a process that is not one. */
type Behaviour = 'right' | 'wrong' | 'leaves' | 'hangs' | 'crashes'

class FakeProcess extends EventEmitter {
  kill(signal: string): void {
    this.emit('close', null, signal)
  }
}

/** Runs parts until one hangs or crashes. */
function fakeStart(behaviours: Readonly<Record<string, Behaviour>>, started: string[][]) {
  return (parts: readonly PartPlan[]) => {
    const names = parts.map(({ name }) => name)
    started.push(names)
    const process = new FakeProcess()
    const tell = (message: FromParts) => process.emit('message', message)
    setImmediate(() => {
      for (const name of names) {
        tell({ type: 'begin', part: name })
        tell({ type: 'row', row: row(name) })
        const behaviour = behaviours[name]
        if (behaviour === 'hangs') return
        if (behaviour === 'crashes') {
          process.emit('close', null, 'SIGSEGV')
          return
        }
        const problem = behaviour === 'wrong' ? 'wrong' : undefined
        tell({ type: 'end', missing: { problem, leftOut: [] } })
        if (behaviour === 'leaves') break
      }
      process.emit('close', 0, null)
    })
    return process as unknown as ChildProcess
  }
}

async function runThese(behaviours: Readonly<Record<string, Behaviour>>, seconds = 60) {
  const started: string[][] = []
  const parts: PartPlan[] = Object.entries(behaviours).map(([name, behaviour]) => {
    return { name, share: behaviour === 'hangs' ? 0.05 : 20 }
  })
  const seen: string[] = []
  const results = await runParts({
    parts,
    start: fakeStart(behaviours, started),
    endsAt: performance.now() + 1000 * seconds,
    onBegin: () => {},
    onRow: ({ name }, soFar) => seen.push(`row ${name} of ${soFar.length}`),
    onEnd: (soFar) => seen.push(`end of ${soFar.length}`),
  })
  return { started, results, seen }
}

describe('runParts()', () => {
  it('goes on after a part that failed, in the same process', async () => {
    const { started, results } = await runThese({ a: 'right', b: 'wrong', c: 'right' })
    expect(started).toEqual([['a', 'b', 'c']])
    expect(results.map(({ missing }) => missing.problem)).toEqual([undefined, 'wrong', undefined])
    expect(results.map(({ rows }) => rows.map(({ name }) => name))).toEqual([['a'], ['b'], ['c']])
  })

  it('goes on in a new process after a part that crashed or hung, keeping what they had measured', async () => {
    const { started, results } = await runThese({
      a: 'crashes',
      b: 'right',
      c: 'hangs',
      d: 'right',
    })
    expect(started).toEqual([['a', 'b', 'c', 'd'], ['b', 'c', 'd'], ['d']])
    expect(results.map(({ missing }) => missing.problem)).toEqual([
      'its process ended with SIGSEGV',
      undefined,
      undefined,
      undefined,
    ])
    expect(results[2]!.missing.leftOut).toEqual(['what was not finished within 0 seconds'])
    expect(results[2]!.rows).toEqual([row('c')])
  })

  it('goes on in a new process after one that left between two parts', async () => {
    const { started, results } = await runThese({ a: 'leaves', b: 'leaves' })
    expect(started).toEqual([['a', 'b'], ['b']])
    expect(results.map(({ missing }) => missing.problem)).toEqual([undefined, undefined])
  })

  it('reports what there is so far with each row and at the end of each part', async () => {
    const { seen } = await runThese({ a: 'right', b: 'crashes' })
    expect(seen).toEqual(['row a of 1', 'end of 1', 'row b of 2', 'end of 2'])
  })

  it('starts nothing for which no time is left', async () => {
    const { started, results } = await runThese({ a: 'right', b: 'right' }, 1)
    expect(started).toEqual([])
    expect(results.map(({ missing }) => missing)).toEqual([
      { problem: undefined, leftOut: ['a'] },
      { problem: undefined, leftOut: ['b'] },
    ])
  })
})
