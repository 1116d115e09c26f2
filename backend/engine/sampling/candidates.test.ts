import { describe, expect, it } from 'vitest'
import { candidatesOf } from '../../../test/support/inference/candidates-of.ts'
import { logSumError } from '../../model/model.ts'
import type { SamplingParams } from '../job.ts'
import { createRandom, type Random } from './random.ts'
import { createSampler, type Sampled, type SamplerJob } from './sampler.ts'

const info = { imageTokenId: 9, vocabSize: 400 }

/** Ids from here upwards are control tokens, of which the last one ends an answer. */
const controlIdsFrom = 380

/** Picks of many tokens one after the other, and how many of them the candidates decided. */
interface Picks {
  readonly sampled: readonly Sampled[]
  readonly decided: number
}

function picks(job: SamplerJob, rows: readonly Float32Array[], candidates = 0): Picks {
  const sampler = createSampler(job, 0, info)
  let decided = 0
  const sampled = rows.map((row, i) => {
    // Devices are not exact.
    const error = (i % 3) - 1
    const known = candidatesOf(row, Math.max(1, candidates))
    const logSum = known.logSum + 0.9 * logSumError * error
    const picked = candidates === 0 ? undefined : sampler.pickFrom({ ...known, logSum })
    if (picked !== undefined) decided += 1
    return picked ?? sampler.pick(row.slice())
  })
  return { sampled, decided }
}

/** Approximately normal; in steps, so that some are equal, where `step` is not 0. */
function randomRow(random: Random, spread: number, step: number): Float32Array {
  return Float32Array.from({ length: info.vocabSize }, () => {
    const value = (random() + random() + random() + random() - 2) * Math.sqrt(3) * spread
    return step === 0 ? value : Math.round(value / step) * step
  })
}

function maybe<Value>(random: Random, value: Value): Value | undefined {
  return random() < 0.5 ? value : undefined
}

function randomSampling(random: Random, seed: number): SamplingParams {
  const between = (low: number, high: number) => low + random() * (high - low)
  return {
    seed,
    temperature: random() < 0.2 ? 0 : between(0.05, 2),
    topP: maybe(random, between(0.05, 1)),
    topK: maybe(random, Math.floor(between(1, 90))),
    minP: maybe(random, between(0, 0.5)),
    repetitionPenalty: maybe(random, random() < 0.7 ? between(1, 2) : between(0.5, 1)),
    presencePenalty: maybe(random, random() < 0.7 ? between(0, 2) : between(-2, 0)),
    frequencyPenalty: maybe(random, random() < 0.7 ? between(0, 2) : between(-2, 0)),
    logitBias: maybe(random, [
      [Math.floor(between(0, 400)), random() < 0.5 ? -100 : between(-9, 9)],
    ]),
  }
}

function jobWith(sampling: SamplingParams, topLogprobs?: number): SamplerJob {
  const promptIds = Int32Array.from({ length: 40 }, (_, i) => 3 * i)
  return { promptIds, stopIds: [399], controlIdsFrom, sampling, topLogprobs }
}

/** The same tokens, with the same log probabilities but for the error of the sum. */
function expectSame(actual: readonly Sampled[], expected: readonly Sampled[]): void {
  expect(actual.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
  const idsOf = ({ logprobs }: Sampled) => logprobs?.top.map(({ id }) => id)
  expect(actual.map((one) => idsOf(one))).toEqual(expected.map((one) => idsOf(one)))
  const differences = actual.map(({ logprobs }, i) =>
    Math.abs((logprobs?.logprob ?? 0) - (expected[i]!.logprobs?.logprob ?? 0)),
  )
  expect(Math.max(...differences)).toBeLessThan(2 * logSumError)
}

describe('pickFrom()', () => {
  it('picks what the whole row would, by any rules, or reports that it cannot know', () => {
    const random = createRandom(4)
    let [decided, all] = [0, 0]
    for (let round = 0; round < 120; round++) {
      const job = jobWith(randomSampling(random, round), [undefined, 0, 5, 20][round % 4])
      const [spread, step] = [10 ** (random() * 3 - 2), [0, 0, 0.25][round % 3]!]
      const rows = Array.from({ length: 20 }, () => randomRow(random, spread, step))
      const count = [64, 64, 8, 1][round % 4]!
      const some = picks(job, rows, count)
      expectSame(some.sampled, picks(job, rows).sampled)
      decided += some.decided
      all += rows.length
    }
    expect(decided / all).toBeGreaterThan(0.2)
    expect(decided / all).toBeLessThan(0.9)
  })

  it('decides most often where few tokens are likely, as in language', () => {
    const random = createRandom(5)
    for (const sampling of [{ temperature: 0 }, { temperature: 0.7, topP: 0.9 }, { topK: 20 }]) {
      const rows = Array.from({ length: 200 }, () => randomRow(random, 6, 0))
      const job = jobWith({ temperature: 1, seed: 3, ...sampling }, 5)
      expect(picks(job, rows, 64).decided).toBeGreaterThan(190)
    }
  })

  it.each([NaN, Infinity])('leaves a row with %s to the whole row, which refuses it', (bad) => {
    const row = new Float32Array(info.vocabSize).fill(1)
    row[7] = bad
    const sampler = createSampler(jobWith({ temperature: 1, seed: 1 }), 0, info)
    const ids = Int32Array.of(7, 1, 2)
    const logits = Float32Array.from(ids, (id) => row[id]!)
    expect(sampler.pickFrom({ ids, logits, logSum: bad })).toBeUndefined()
    expect(() => sampler.pick(row)).toThrow('not a number')
  })
})
