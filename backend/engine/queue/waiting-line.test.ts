import { describe, expect, it } from 'vitest'
import type { JobPriority } from '../job.ts'
import { WaitingLine } from './waiting-line.ts'

function job(name: string, priority: JobPriority, tenant = 'someone') {
  return { name, priority, tenant, estimatedWork: 10 }
}

function lineOf(jobs: readonly ReturnType<typeof job>[]): WaitingLine<ReturnType<typeof job>> {
  const line = new WaitingLine<ReturnType<typeof job>>(new Map())
  for (const each of jobs) line.add(each)
  return line
}

describe('WaitingLine', () => {
  it('starts batch jobs when no interactive one waits', () => {
    const line = lineOf([job('b1', 'batch'), job('i1', 'interactive'), job('b2', 'batch')])
    expect([1, 2, 3, 4].map(() => line.take()?.name)).toEqual(['i1', 'b1', 'b2', undefined])
  })

  it('starts one batch job after fifteen interactive ones that passed it', () => {
    const line = lineOf(Array.from({ length: 50 }, (_, i) => job(`i${i}`, 'interactive')))
    for (let i = 0; i < 5; i++) line.take()
    for (const name of ['b1', 'b2', 'b3']) line.add(job(name, 'batch'))
    const names = Array.from({ length: 48 }, () => line.take()!.name)
    expect(names.flatMap((name, at) => (name.startsWith('b') ? [at] : []))).toEqual([15, 31, 47])
  })

  it('counts batch and interactive work of a tenant apart', () => {
    const line = lineOf([job('b1', 'batch', 'x'), job('b2', 'batch', 'x')])
    for (const taken of [line.take()!, line.take()!]) line.settle(taken, 1_000)
    line.add(job('y', 'interactive', 'y'))
    line.settle(line.take()!, 10)
    const next = [job('x1', 'interactive', 'x'), job('y1', 'interactive', 'y')]
    for (const each of next) line.add(each)
    expect(line.take()!.name).toBe('x1')
  })

  it('reports sizes, work and how many go before a newcomer', () => {
    const line = lineOf([
      job('i1', 'interactive'),
      job('b1', 'batch'),
      job('b2', 'batch'),
      job('i2', 'interactive', 'another'),
    ])
    expect([line.size, line.sizeOf('interactive'), line.sizeOf('batch')]).toEqual([4, 2, 2])
    expect([line.work, line.waitingOf('someone'), line.waitingOf('nobody')]).toEqual([40, 3, 0])
    expect(line.before(job('', 'batch'))).toBe(4)
    expect(line.before(job('', 'interactive'))).toBe(2)
    expect([...line].map(({ name }) => name).toSorted()).toEqual(['b1', 'b2', 'i1', 'i2'])
  })
})
