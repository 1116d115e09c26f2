import { describe, expect, it } from 'vitest'
import { readRunProfile } from './step-profile.ts'

const node = (name: string, operator: string, dur: number) => ({
  cat: 'Node',
  name: `${name}_kernel_time`,
  dur,
  args: { op_name: operator, provider: 'WebGpuExecutionProvider' },
})
const launch = (name: string, operator: string, dur: number) => ({
  cat: 'Api',
  name: `${name}&${operator}&${operator}Program`,
  dur,
})
const session = (name: string, dur: number) => ({ cat: 'Session', name, dur })

/** A run of two layers: the second launches two kernels for one node. */
const run = (factor: number) => [
  node('/layers.0/Add', 'Add', 10 * factor),
  node('/layers.1/MatMulNBits', 'MatMulNBits', 20 * factor),
  node('/Softmax', 'Softmax', 5 * factor),
  session('SequentialExecutor::Execute', 40 * factor),
  session('model_run', 100 * factor),
]
const launches = (factor: number) => [
  launch('/layers.0/Add', 'Add', 100 * factor),
  launch('/layers.1/MatMulNBits', 'MatMulNBits', 300 * factor),
  launch('/layers.1/MatMulNBits', 'MatMulNBits', 500 * factor),
  launch('/Softmax', 'Softmax', 50 * factor),
]

describe('readRunProfile()', () => {
  it('counts launches by layer and sums times by operator, the first run left out', () => {
    const events = [...run(9), ...run(1), ...run(1), ...launches(9), ...launches(1), ...launches(1)]
    const profile = readRunProfile(JSON.stringify(events))
    expect(profile).toMatchObject({ launches: 4, layerLaunches: [1, 2], nodes: 3, deviceMs: 0.95 })
    expect(profile.recordingMs).toBeCloseTo(0.04)
    expect(profile.byOperator).toEqual([
      { operator: 'MatMulNBits', launches: 2, ms: 0.8 },
      { operator: 'Add', launches: 1, ms: 0.1 },
      { operator: 'Softmax', launches: 1, ms: 0.05 },
    ])
  })

  it('shows what recording takes where the driver keeps no times', () => {
    const events = [...run(1), ...run(1), ...launches(0), ...launches(0)]
    const profile = readRunProfile(JSON.stringify(events))
    expect(profile.deviceMs).toBeUndefined()
    expect(profile.byOperator[0]).toEqual({ operator: 'MatMulNBits', launches: 1, ms: 0.02 })
  })

  it('refuses runs that did different things', () => {
    const events = [...run(1), ...run(1), ...launches(1), launch('/Add', 'Add', 1)]
    expect(() => readRunProfile(JSON.stringify(events))).toThrow(/5 launches in 2 runs/)
  })
})
