import { describe, expect, it } from 'vitest'
import type { SamplingParams } from '../job.ts'
import { createRandom, type Random } from './random.ts'
import { createSampler, type Sampler, type SamplerJob } from './sampler.ts'

interface Rules extends Partial<SamplingParams> {
  stopIds?: number[]
  controlIdsFrom?: number
  promptIds?: Int32Array
}

const imageTokenId = 9

function sampler(size: number, rules: Rules, topLogprobs?: number): Sampler {
  const { stopIds = [], controlIdsFrom = size, promptIds = new Int32Array(), ...sampling } = rules
  const job: SamplerJob = {
    sampling: { temperature: 1, topP: 1, seed: 1, ...sampling },
    stopIds,
    controlIdsFrom,
    promptIds,
    topLogprobs,
  }
  return createSampler(job, 0, { imageTokenId, vocabSize: size })
}

/** Tokens drawn from the same logits, one after the other. */
function drawMany(logits: Float32Array, count: number, rules: Rules): number[] {
  const drawing = sampler(logits.length, rules)
  return Array.from({ length: count }, () => drawing.pick(logits.slice()).id)
}

/** Approximately normal, as logits of language models are. */
function randomLogits(size: number, spread: number, random: Random): Float32Array {
  return Float32Array.from({ length: size }, () => {
    const sum = random() + random() + random() + random() - 2
    return sum * Math.sqrt(3) * spread
  })
}

/** Probabilities by definition, one rule after the other over a full sort, in double precision. */
function exactProbabilities(logits: Float32Array, rules: Rules): Map<number, number> {
  const { temperature = 1, topP = 1, topK = Infinity, minP = 0 } = rules
  const top = logits.reduce((a, b) => Math.max(a, b))
  let tokens = Array.from(logits, (logit, id) => {
    return { id, logit, weight: Math.exp((logit - top) / temperature) }
  })
  tokens = tokens.toSorted((a, b) => b.logit - a.logit || a.id - b.id).slice(0, topK)
  const limit = topP * tokens.reduce((sum, { weight }) => sum + weight, 0)
  let before = 0
  tokens = tokens.filter(({ weight }) => {
    before += weight
    return topP === 1 || before - weight < limit
  })
  tokens = tokens.filter(({ weight }) => weight >= minP * tokens[0]!.weight)
  const total = tokens.reduce((sum, { weight }) => sum + weight, 0)
  return new Map(tokens.map(({ id, weight }) => [id, weight / total]))
}

/** Logits after the rules that change single ones, by their definitions. */
function exactLogits(logits: Float32Array, rules: Rules, answer: readonly number[]): Float32Array {
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, logitBias = [] } = rules
  const text = [...(rules.promptIds ?? [])].filter((id) => id !== imageTokenId).concat(answer)
  return logits.map((logit, id) => {
    const count = answer.filter((other) => other === id).length
    let changed = logit
    if (text.includes(id)) {
      changed = changed < 0 ? changed * repetitionPenalty : changed / repetitionPenalty
    }
    changed -= frequencyPenalty * count
    if (count > 0) changed -= presencePenalty
    return changed + logitBias.reduce((sum, [other, bias]) => sum + (other === id ? bias : 0), 0)
  })
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
  it.each([0, 0.8])('takes any repetition penalty, at temperature %f', (temperature) => {
    const promptIds = Int32Array.of(0, 1, 2)
    for (const repetitionPenalty of [5e-324, 1e-200, 1e-38, 2]) {
      const rules = { temperature, repetitionPenalty, promptIds }
      // Far below 1, a likely token of the prompt becomes the only one.
      const [id] = drawMany(Float32Array.of(9, -1, 0, 10), 1, rules)
      expect(id).toBe(repetitionPenalty < 1 ? 0 : 3)
    }
    const broken = Float32Array.of(Infinity, 0)
    expect(() =>
      sampler(2, { repetitionPenalty: 2, promptIds: Int32Array.of(0) }).pick(broken),
    ).toThrow('not a number')
  })

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
    { size: 1000, spread: 1, temperature: 1, topP: 1, topK: 40 },
    { size: 1000, spread: 1, temperature: 1.5, topP: 0.8, topK: 100 },
    { size: 1000, spread: 1, temperature: 0.9, topP: 0.95, topK: 300, minP: 0.1 },
    { size: 1000, spread: 2, temperature: 1, topP: 1, minP: 0.02 },
  ])('with the exact probabilities: %o', ({ size, spread, ...rules }) => {
    const logits = randomLogits(size, spread, createRandom(size))
    const drawn = drawMany(logits, 10_000, { ...rules, seed: 99 })
    const exact = exactProbabilities(logits, rules)
    expect(drawn.every((id) => exact.has(id))).toBe(true)
    const { statistic, limit } = chiSquare(drawn, exact)
    expect(statistic).toBeLessThan(limit)
  })

  it('from the set that a full sort would keep, sizes 10 to 163,840', () => {
    const random = createRandom(2024)
    for (const size of [10, 11, 64, 500, 1_025, 3_000, 20_000, 163_840]) {
      for (let round = 0; round < 4; round++) {
        const spread = 10 ** (random() * 4 - 3)
        const logits = randomLogits(size, spread, random)
        const rules = {
          temperature: 0.2 + random() * 1.8,
          topP: round === 0 ? 1 : 0.05 + random() * 0.9,
          topK: round % 2 === 1 ? 1 + Math.floor(random() * size) : undefined,
          minP: round === 3 ? random() * 0.3 : undefined,
        }
        const exact = exactProbabilities(logits, rules)
        const drawn = drawMany(logits, 20, { ...rules, seed: round })
        expect(drawn.filter((id) => !exact.has(id))).toEqual([])
      }
    }
  })

  it('reaches every token that a full sort would keep, and no other', () => {
    const random = createRandom(77)
    for (let round = 0; round < 25; round++) {
      const logits = randomLogits(12, 0.5 + random(), random)
      const rules = {
        topP: 0.1 + random() * 0.9,
        topK: 1 + Math.floor(random() * 12),
        minP: random() * 0.2,
      }
      const drawn = new Set(drawMany(logits, 2_000, { ...rules, seed: round }))
      expect(drawn).toEqual(new Set(exactProbabilities(logits, rules).keys()))
    }
  })

  it('cuts one crowded bin as exactly as many', () => {
    const random = createRandom(5)
    // One token far above thousands that differ by less than a bin.
    const logits = randomLogits(20_000, 0.001, random)
    logits[777] = 12
    for (const rules of [
      { topK: 3 },
      { topK: 9_000, topP: 0.99 },
      { topP: 0.4, temperature: 2 },
      { topP: 0.99, minP: 0.5, temperature: 1e6 },
    ]) {
      const exact = exactProbabilities(logits, rules)
      const drawn = new Set(drawMany(logits, 300, rules))
      expect([...drawn].filter((id) => !exact.has(id))).toEqual([])
      expect(drawn.size > 1).toBe(exact.size > 10)
    }
  })

  it('cuts among equals by id', () => {
    const drawn = drawMany(new Float32Array(100).fill(2), 2_000, { topP: 0.1 })
    expect(new Set(drawn)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
  })

  it.each([
    { topK: 1 },
    { topK: 25 },
    { topK: 25, topP: 0.4 },
    { topP: 0.25, minP: 1 },
    { minP: 0.99 },
  ])('keeps equals with the lowest ids: %o', (rules) => {
    const logits = new Float32Array(100).fill(-3)
    const drawn = new Set(drawMany(logits, 3_000, rules))
    expect(drawn).toEqual(new Set(exactProbabilities(logits, rules).keys()))
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

describe('createSampler() with penalties and bias', () => {
  it('picks what the changed logits say, token by token', () => {
    const random = createRandom(8)
    const between = (low: number, high: number) => low + random() * (high - low)
    for (let round = 0; round < 150; round++) {
      const size = 40
      const rules: Rules = {
        temperature: 0,
        repetitionPenalty: round % 3 === 0 ? undefined : between(0.5, 2),
        presencePenalty: round % 4 === 0 ? undefined : between(-2, 2),
        frequencyPenalty: round % 5 === 0 ? undefined : between(-2, 2),
        logitBias:
          round % 2 === 0
            ? undefined
            : [
                [3, between(-9, 9)],
                [30, between(-9, 9)],
              ],
        promptIds: Int32Array.from({ length: 12 }, () => Math.floor(random() * size)),
      }
      const picking = sampler(size, rules)
      const answer: number[] = []
      for (let step = 0; step < 12; step++) {
        const logits = randomLogits(size, 1.5, random)
        const changed = exactLogits(logits, rules, answer)
        answer.push(picking.pick(logits).id)
        expect(answer.at(-1)).toBe(changed.indexOf(Math.max(...changed)))
      }
    }
  })

  it('draws with the exact probabilities of the changed logits', () => {
    const rules: Rules = {
      temperature: 0.8,
      topP: 0.9,
      topK: 200,
      repetitionPenalty: 1.3,
      logitBias: [
        [5, 3],
        [6, -100],
      ],
      promptIds: Int32Array.from({ length: 100 }, (_, i) => i * 2),
    }
    const logits = randomLogits(500, 1, createRandom(31))
    const exact = exactProbabilities(exactLogits(logits, rules, []), rules)
    const drawn = Array.from({ length: 4_000 }, (_, seed) =>
      drawMany(logits, 1, { ...rules, seed }),
    ).flat()
    const { statistic, limit } = chiSquare(drawn, exact)
    expect(statistic).toBeLessThan(limit)
    expect(drawn).not.toContain(6)
  })

  it('does not count image placeholders as text', () => {
    const logits = new Float32Array(12).fill(1)
    logits[imageTokenId] = 2
    const promptIds = new Int32Array(5).fill(imageTokenId)
    const rules = { temperature: 0, repetitionPenalty: 2, promptIds }
    expect(drawMany(logits, 1, rules)).toEqual([imageTokenId])
  })

  it('keeps control ids forbidden, whatever their bias, and lets a stop id be biased', () => {
    const logits = Float32Array.of(0, 1, 0, 0)
    const rules: Rules = {
      temperature: 0,
      controlIdsFrom: 2,
      logitBias: [
        [3, 100],
        [2, 50],
      ],
    }
    expect(drawMany(logits, 1, rules)).toEqual([1])
    expect(drawMany(logits, 1, { ...rules, stopIds: [2] })).toEqual([2])
  })
})

describe('createSampler() returns log probabilities', () => {
  it('of the model itself, whatever the rules', () => {
    const random = createRandom(12)
    for (const size of [30, 1_000, 50_000]) {
      const rules: Rules = {
        temperature: 1.7,
        topP: 0.5,
        topK: 10,
        presencePenalty: 1,
        repetitionPenalty: 1.5,
        logitBias: [[7, 20]],
        controlIdsFrom: size - 4,
        stopIds: [size - 1],
      }
      const picking = sampler(size, rules, 20)
      for (let step = 0; step < 5; step++) {
        const logits = randomLogits(size, 2, random)
        const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0))
        const order = [...logits.keys()].toSorted((a, b) => logits[b]! - logits[a]! || a - b)
        const sampled = picking.pick(logits.slice())
        expect(sampled.logprobs?.logprob).toBeCloseTo(logits[sampled.id]! - total, 6)
        expect(sampled.logprobs?.top.map(({ id }) => id)).toEqual(order.slice(0, 20))
        for (const { id, logprob } of sampled.logprobs!.top) {
          expect(logprob).toBeCloseTo(logits[id]! - total, 6)
        }
      }
    }
  })

  it('with no alternatives when none are asked for', () => {
    const sampled = sampler(4, { temperature: 0 }, 0).pick(Float32Array.of(0, 0, 0, Math.log(7)))
    expect(sampled.logprobs).toEqual({
      id: 3,
      logprob: expect.closeTo(Math.log(0.7), 6) as number,
      top: [],
    })
  })

  it('not at all when they are not asked for', () => {
    expect(sampler(2, { temperature: 0 }).pick(Float32Array.of(0, 1))).toEqual({ id: 1 })
  })
})
