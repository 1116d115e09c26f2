import { describe, expect, it } from 'vitest'
import { massOf } from './logit-mass.ts'
import { createRandom } from '../random.ts'

function exactMass(row: Float32Array, top: number): number {
  return row.reduce((sum, logit) => sum + Math.exp(logit - top), 0)
}

describe('massOf()', () => {
  const random = createRandom(6)
  it.each([
    ['flat', () => random() * 1e-3],
    ['ordinary', () => (random() + random() + random() - 1.5) * 20],
    ['half of it far away', () => random() * 64],
    ['far below zero', () => -3e38 + random()],
    ['as wide as float32', () => (random() - 0.5) * 6e38],
    ['equal', () => 5],
    ['falling', (i: number) => -i / 100],
    ['all but one further than the table', (i: number) => (i === 0 ? 0 : -32.01)],
  ])('is within 3.4e-9 of the sum in double precision: %s', (_name, logitAt) => {
    for (const size of [1, 2, 3, 1_023, 1_024, 1_025, 2_049, 163_840]) {
      const row = Float32Array.from({ length: size }, (_, i) => logitAt(i))
      const top = row.reduce((a, b) => Math.max(a, b))
      expect(Math.abs(massOf(row, top) / exactMass(row, top) - 1)).toBeLessThan(3.4e-9)
    }
  })
})
