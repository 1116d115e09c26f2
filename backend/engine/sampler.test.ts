import { describe, expect, it } from 'vitest'
import { createRandom, type Random } from './random.ts'
import { createSampler } from './sampler.ts'

interface Rules {
  temperature?: number
  topP?: number
  seed?: number
  stopIds?: number[]
  controlIdsFrom?: number
}

function sampler({
  temperature = 1,
  topP = 1,
  seed = 1,
  stopIds = [],
  controlIdsFrom = 1e9,
}: Rules) {
  return (logits: Float32Array) =>
    createSampler(
      {
        sampling: { temperature, topP, seed },
        stopIds,
        controlIdsFrom: Math.min(controlIdsFrom, logits.length),
      },
      0,
    )
}

/** Tokens drawn from the same logits, one after the other. */
function drawMany(logits: Float32Array, count: number, rules: Rules): number[] {
  const sample = sampler(rules)(logits)
  return Array.from({ length: count }, () => sample(logits.slice()).id)
}

/** Approximately normal, as logits of language models are. */
function randomLogits(size: number, spread: number, random: Random): Float32Array {
  return Float32Array.from({ length: size }, () => {
    const sum = random() + random() + random() + random() - 2
    return sum * Math.sqrt(3) * spread
  })
}

/** Probabilities by definition: sort everything, keep the shortest head that reaches topP, renormalise. */
function exactProbabilities(
  logits: Float32Array,
  temperature: number,
  topP: number,
): Map<number, number> {
  const top = logits.reduce((a, b) => Math.max(a, b))
  const weights = Array.from(logits, (logit) => Math.exp((logit - top) / temperature))
  const total = weights.reduce((a, b) => a + b)
  const order = weights.map((_, id) => id).toSorted((a, b) => logits[b]! - logits[a]! || a - b)
  const kept = new Map<number, number>()
  let sum = 0
  for (const id of order) {
    if (sum >= topP * total) break
    kept.set(id, weights[id]!)
    sum += weights[id]!
  }
  return new Map([...kept].map(([id, weight]) => [id, weight / sum]))
}

/** Pearson's statistic over bins of at least 20 expected draws, with the 99.99 % point for that many bins. */
function chiSquare(drawn: number[], probabilities: Map<number, number>) {
  const seen = new Map<number, number>()
  for (const id of drawn) seen.set(id, (seen.get(id) ?? 0) + 1)
  let [statistic, bins, restSeen, restExpected] = [0, 0, 0, 0]
  for (const [id, probability] of probabilities) {
    restSeen += seen.get(id) ?? 0
    restExpected += probability * drawn.length
    if (restExpected < 20) continue
    statistic += (restSeen - restExpected) ** 2 / restExpected
    ;[bins, restSeen, restExpected] = [bins + 1, 0, 0]
  }
  const freedom = Math.max(1, bins - 1)
  // Wilson and Hilferty's approximation of the quantile; 3.72 is that of the normal distribution.
  const limit = freedom * (1 - 2 / (9 * freedom) + 3.72 * Math.sqrt(2 / (9 * freedom))) ** 3
  return { statistic, limit }
}

describe('createSampler() at temperature 0', () => {
  it('picks the largest logit', () => {
    expect(drawMany(Float32Array.of(-3, 2, 9, 1), 3, { temperature: 0 })).toEqual([2, 2, 2])
  })

  it('picks the lowest id among equals', () => {
    expect(drawMany(Float32Array.of(1, 4, 4, 4), 1, { temperature: 0 })).toEqual([1])
  })

  it('works when all logits are far below zero', () => {
    expect(drawMany(Float32Array.of(-3e38, -2e38), 1, { temperature: 0 })).toEqual([1])
  })
})

describe('createSampler() and control ids', () => {
  const logits = Float32Array.of(0, 1, 50, 60, 3, 70)
  const rules = { controlIdsFrom: 2, temperature: 0 }

  it('never picks a control id that is no stop id', () => {
    expect(drawMany(logits, 1, rules)).toEqual([1])
    expect(new Set(drawMany(logits, 500, { ...rules, temperature: 2 }))).toEqual(new Set([0, 1]))
  })

  it('picks a stop id by its own logit, in whatever order stop ids are given', () => {
    expect(drawMany(logits, 1, { ...rules, stopIds: [4] })).toEqual([4])
    expect(drawMany(logits, 1, { ...rules, stopIds: [5, 3, 3] })).toEqual([5])
    expect(drawMany(logits, 1, { ...rules, stopIds: [3, 2] })).toEqual([3])
  })

  it('keeps a text id that is a stop id', () => {
    expect(drawMany(logits, 1, { ...rules, stopIds: [1] })).toEqual([1])
  })
})

describe('createSampler() draws', () => {
  it.each([
    { size: 10, spread: 1, temperature: 1, topP: 1 },
    { size: 300, spread: 2, temperature: 0.7, topP: 0.9 },
    { size: 300, spread: 0.2, temperature: 2, topP: 0.5 },
    { size: 1000, spread: 3, temperature: 1.3, topP: 1 },
    { size: 1000, spread: 0.001, temperature: 1, topP: 0.3 },
  ])('with the exact probabilities: %o', ({ size, spread, temperature, topP }) => {
    const logits = randomLogits(size, spread, createRandom(size))
    const drawn = drawMany(logits, 10_000, { temperature, topP, seed: 99 })
    const exact = exactProbabilities(logits, temperature, topP)
    expect(drawn.every((id) => exact.has(id))).toBe(true)
    const { statistic, limit } = chiSquare(drawn, exact)
    expect(statistic).toBeLessThan(limit)
  })

  it('from the set that a full sort would keep, sizes 10 to 163,840', () => {
    const random = createRandom(2024)
    for (const size of [10, 11, 64, 500, 3_000, 20_000, 163_840]) {
      for (let round = 0; round < 3; round++) {
        const spread = 0.05 + random() * 4
        const logits = randomLogits(size, spread, random)
        const [temperature, topP] = [0.2 + random() * 1.8, 0.05 + random() * 0.9]
        const exact = exactProbabilities(logits, temperature, topP)
        const drawn = drawMany(logits, 20, { temperature, topP, seed: round })
        expect(drawn.filter((id) => !exact.has(id))).toEqual([])
      }
    }
  })

  it('reaches every token that a full sort would keep, and no other', () => {
    const random = createRandom(77)
    for (let round = 0; round < 20; round++) {
      const logits = randomLogits(12, 0.5 + random(), random)
      const topP = 0.1 + random() * 0.85
      const drawn = new Set(drawMany(logits, 4_000, { topP, seed: round }))
      expect(drawn).toEqual(new Set(exactProbabilities(logits, 1, topP).keys()))
    }
  })

  it('cuts among equals by id', () => {
    const drawn = drawMany(new Float32Array(100).fill(2), 2_000, { topP: 0.1 })
    expect(new Set(drawn)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
  })

  it('keeps the best token alone when it reaches topP', () => {
    const logits = Float32Array.of(0, 5, 0, 5)
    expect(new Set(drawMany(logits, 200, { topP: 1e-9 }))).toEqual(new Set([1]))
  })

  it('approaches greedy at the smallest temperatures', () => {
    const logits = Float32Array.of(1, 1.0000001, 0)
    expect(new Set(drawMany(logits, 100, { temperature: 5e-324 }))).toEqual(new Set([1]))
  })

  it('repeats a seed and tells seeds apart', () => {
    const logits = randomLogits(500, 1, createRandom(3))
    const drawn = [11, 11, 12].map((seed) => drawMany(logits, 50, { seed, topP: 0.9 }))
    expect(drawn[1]).toEqual(drawn[0])
    expect(drawn[2]).not.toEqual(drawn[0])
  })

  it.each([NaN, Infinity, -Infinity])('refuses logits with %s', (bad) => {
    for (const temperature of [0, 1]) {
      expect(() => drawMany(Float32Array.of(1, bad, 2), 1, { temperature })).toThrow(
        expect.objectContaining({ code: 'internal' }),
      )
    }
  })

  it('ignores what stands at ids that cannot be picked', () => {
    const logits = Float32Array.of(1, 2, NaN, Infinity)
    expect(drawMany(logits, 1, { temperature: 0, controlIdsFrom: 2 })).toEqual([1])
  })
})
