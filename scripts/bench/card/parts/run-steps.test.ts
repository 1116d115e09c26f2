import { describe, expect, it } from 'vitest'
import { DeviceError } from '../../../../backend/model/accelerator/accelerator.ts'
import type { BenchRow } from '../../measure.ts'
import type { Step } from './part.ts'
import { runSteps } from './run-steps.ts'

const row = (name: string): BenchRow => ({ name, value: '1', ratio: '', data: {} })
const works = (name: string): Step => ({
  name,
  async *run() {
    yield await Promise.resolve(row(name))
  },
})
const fails = (name: string, error: Error): Step => ({
  name,
  async *run() {
    yield await Promise.resolve(row(name))
    throw error
  },
})

async function runThese(steps: readonly Step[], leftMs = () => Infinity) {
  const rows: string[] = []
  const running = runSteps(steps, leftMs)
  for (;;) {
    const { done, value } = await running.next()
    if (done === true) return { rows, ...value }
    rows.push(value.name)
  }
}

describe('runSteps()', () => {
  it('goes on after one that failed, keeping its rows', async () => {
    const steps = [works('a'), fails('b', new Error('wrong')), works('c')]
    expect(await runThese(steps)).toEqual({
      rows: ['a', 'b', 'c'],
      problem: 'b: wrong',
      leftOut: [],
      isLost: false,
    })
  })

  it('asks nothing more of a card that failed', async () => {
    const steps = [fails('a', new DeviceError('lost')), works('b')]
    expect(await runThese(steps)).toEqual({
      rows: ['a'],
      problem: 'a: lost',
      leftOut: ['b'],
      isLost: true,
    })
  })

  it('begins nothing for which there is no time, and says what', async () => {
    const left = [1000, -1]
    const steps = [works('a'), works('b'), works('c')]
    expect(await runThese(steps, () => left.shift() ?? -1)).toEqual({
      rows: ['a'],
      problem: undefined,
      leftOut: ['b', 'c'],
      isLost: false,
    })
  })
})
