import { describe, expect, it } from 'vitest'
import { createRandom } from '../sampling/random.ts'
import { observe, unknownPace, type MeasuredTurn, type Pace } from './pace.ts'
import { allowedBeside } from './allowance.ts'

/** Milliseconds of a step: a fixed part, one per token, one per token and 1,000 tokens it looks back on. */
interface StepCost {
  readonly fixed: number
  readonly token: number
  readonly attention: number
  /** Further cost of the first tokens, which each bring in weights that others do not use; it levels off. */
  readonly firstTokens?: number
}

/** Like the full size on two cores: 27 layers, 106 ms a step, 60 prompt tokens a second. */
const fullSize: StepCost = { fixed: 88, token: 16, attention: 3.4, firstTokens: 60 }
/** Like four layers of it. */
const fourLayers: StepCost = { fixed: 24, token: 2.2, attention: 0.5, firstTokens: 30 }
const nano: StepCost = { fixed: 1.5, token: 0.05, attention: 0.02 }

function costOf(cost: StepCost, rows: readonly { tokens: number; past: number }[]): number {
  const tokens = rows.reduce((sum, row) => sum + row.tokens, 0)
  const looks = rows.reduce((sum, row) => sum + row.tokens * (row.past + row.tokens / 2), 0)
  const first = (cost.firstTokens ?? 0) * (1 - Math.exp(-tokens / 24))
  return cost.fixed + cost.token * tokens + (cost.attention * looks) / 1_000 + first
}

const onePrompt = { prompts: 1, images: 0 }

/** Nothing but what is given. */
function turn(given: Partial<MeasuredTurn>): MeasuredTurn {
  const nothing = { decodeRows: 0, promptTokens: 0, visionWork: 0, stepMs: 0, visionMs: 0 }
  return { ...nothing, readers: onePrompt, ...given }
}

function tokensBeside(decodeRows: number, pace: Pace): number {
  return allowedBeside(decodeRows, pace, onePrompt).promptTokens
}

/** Steps that streams have run alone before the prompt comes. */
const stepsAlone = 40

/** Steps in which the pacer gets to know how unsteady a machine is. */
const stepsToLearn = 100

/** Streams decode while a prompt is read beside them. @returns of each step: milliseconds, how many times a step without the prompt that is, and chunk */
function readBeside(
  cost: StepCost,
  streams: number,
  promptTokens: number,
  noise = () => 1,
  readers = onePrompt,
) {
  let pace: Pace = unknownPace
  const steps: { ms: number; chunk: number; ratio: number }[] = []
  const context = 300
  for (let read = 0, step = 0; read < promptTokens; step++) {
    const rows = Array.from({ length: streams }, () => ({ tokens: 1, past: context + step }))
    const allowed = step < stepsAlone ? 0 : allowedBeside(streams, pace, readers).promptTokens
    const chunk = Math.min(allowed, promptTokens - read)
    const ms = costOf(cost, chunk > 0 ? [...rows, { tokens: chunk, past: read }] : rows) * noise()
    pace = observe(pace, turn({ decodeRows: streams, promptTokens: chunk, readers, stepMs: ms }))
    steps.push({ ms, chunk, ratio: ms / costOf(cost, rows) })
    read += chunk
  }
  return steps
}

/** Steps take up to so much more or less than they cost, and one in `outlierEvery` twice as long. */
function noiseOf(seed: number, spread: number, outlierEvery = Infinity): () => number {
  const random = createRandom(seed)
  return () => (1 + spread * (2 * random() - 1)) * (random() < 1 / outlierEvery ? 2 : 1)
}

function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * q)]!
}

const seeds = [1, 2, 3, 4, 5, 6, 7, 8]

/** Of gaps, as many times the normal one, against those that the machine's unsteadiness makes without any reading. */
function expectTwiceAtMost(ratios: readonly number[], noise: () => number): void {
  const alone = Array.from({ length: 10_000 }, noise)
  for (const q of [0.5, 0.9, 0.99])
    expect(quantile(ratios, q)).toBeLessThanOrEqual(2 * quantile(alone, q))
}

/** Milliseconds it takes to read a prompt when every step takes as close to `ratio` times the normal as a step may. */
function readingMs(cost: StepCost, promptTokens: number, ratio: number): number {
  let total = 0
  for (let read = 0, step = stepsAlone; read < promptTokens; step++) {
    const stream = { tokens: 1, past: 300 + step }
    const limitMs = ratio * costOf(cost, [stream])
    const stepMs = (tokens: number) => costOf(cost, [stream, { tokens, past: read }])
    let chunk = 1
    while (stepMs(chunk + 1) <= limitMs) chunk++
    total += stepMs(chunk)
    read += chunk
  }
  return total
}

describe('allowedBeside()', () => {
  it.each([
    ['nano', nano, 1, 4_000],
    ['nano', nano, 3, 4_000],
    ['four layers', fourLayers, 1, 2_000],
    ['four layers', fourLayers, 3, 16_000],
    ['full size', fullSize, 1, 2_000],
    ['full size', fullSize, 3, 16_000],
  ])('keeps gaps within twice the normal: %s, cost %o, %i streams, %i tokens', (...given) => {
    const [, cost, streams, promptTokens] = given
    const steps = readBeside(cost, streams, promptTokens)
    const ratios = steps.slice(stepsAlone).map(({ ratio }) => ratio)
    expect(quantile(ratios, 0.99)).toBeLessThanOrEqual(2)
    // What may be used is used: most steps come close to the limit.
    expect(quantile(ratios, 0.5)).toBeGreaterThan(1.5)
  })

  it.each([
    ['nano', nano, 10_000],
    ['four layers', fourLayers, 4_000],
    ['full size', fullSize, 4_000],
  ])('keeps 99 of 100 gaps so on a machine that is not steady: %s', (...given) => {
    const [, cost, promptTokens] = given
    const ratios = seeds.flatMap((seed) => {
      const steps = readBeside(cost, 1, promptTokens, noiseOf(seed, 0.2, 400))
      return steps.slice(stepsAlone + stepsToLearn).map(({ ratio }) => ratio)
    })
    expect(ratios.length).toBeGreaterThan(1_000)
    expect(quantile(ratios, 0.99)).toBeLessThanOrEqual(2)
  })

  it.each([
    ['nano', nano, 10_000],
    ['four layers', fourLayers, 4_000],
    ['full size', fullSize, 4_000],
  ])('keeps every quantile within twice its own on a machine with a tail: %s', (...given) => {
    const [, cost, promptTokens] = given
    const ratios = seeds.flatMap((seed) => {
      const steps = readBeside(cost, 1, promptTokens, noiseOf(seed, 0.2, 25))
      return steps.slice(stepsAlone + stepsToLearn).map(({ ratio }) => ratio)
    })
    expect(ratios.length).toBeGreaterThan(1_000)
    expectTwiceAtMost(ratios, noiseOf(9, 0.2, 25))
  })

  it.each([
    ['nano', nano, 10_000],
    ['four layers', fourLayers, 4_000],
    ['full size', fullSize, 4_000],
  ])('takes hardly more than twice the steps there: %s', (...given) => {
    const [, cost, promptTokens] = given
    const steps = (noise?: () => number) => readBeside(cost, 1, promptTokens, noise).length
    const unsteady = seeds.map((seed) => steps(noiseOf(seed, 0.2, 25)))
    expect(Math.max(...unsteady)).toBeLessThan(2.1 * steps())
  })

  it.each([
    ['nano', nano, 10_000],
    ['four layers', fourLayers, 4_000],
    ['full size', fullSize, 4_000],
  ])('reads as fast as at 1.8 times the normal where steps are steady: %s', (...given) => {
    const [, cost, promptTokens] = given
    const steps = readBeside(cost, 1, promptTokens, noiseOf(1, 0.03)).slice(stepsAlone)
    const readMs = steps.reduce((sum, { ms }) => sum + ms, 0)
    expect(readMs).toBeLessThan(1.05 * readingMs(cost, promptTokens, 1.8))
  })

  it.each([
    [1, 0, 8],
    [2, 0, 17],
    [1, 1, 17 / 2],
    [3, 0, 26],
    [2, 1, (26 * 2) / 3],
    [7, 0, 62],
    [15, 1, (62 * 15) / 16],
  ])('for %i prompts and %i images: prompts get %f ms beside a gap of 10', (...given) => {
    const [prompts, images, ms] = given
    let pace = observe(unknownPace, turn({ decodeRows: 1, stepMs: 10 }))
    const looked = { work: 1_000, ms: 1 }
    pace = { ...pace, promptTokenMs: 0.001, lastTokens: 1e6, looked, ratio: 1.8 }
    const allowed = allowedBeside(1, pace, { prompts, images })
    expect(allowed.promptTokens / 1_000).toBeCloseTo(ms, 2)
    // Every reader has the same time.
    expect(allowed.visionWork / 1_000).toBeCloseTo(ms / prompts, 2)
  })

  it('plans for longer steps where several prompts are read, and keeps that plan', () => {
    const ratios = (prompts: number) =>
      readBeside(fourLayers, 1, 10_000, noiseOf(1, 0.03), { prompts, images: 0 })
        .slice(stepsAlone + stepsToLearn)
        .map(({ ratio }) => ratio)
    expect(quantile(ratios(5), 0.5)).toBeGreaterThan(2.7 * quantile(ratios(1), 0.5))
    expect(quantile(ratios(5), 0.99)).toBeLessThanOrEqual(3 * 2)
  })

  it('learns again what tokens cost after steps in which they seemed to cost nothing', () => {
    let pace = observe(unknownPace, turn({ decodeRows: 1, promptTokens: 0, stepMs: 10 }))
    for (let i = 0; i < 3; i++)
      pace = observe(pace, turn({ decodeRows: 1, promptTokens: 4, stepMs: 9 }))
    expect(tokensBeside(1, pace)).toBe(8)
    for (let i = 0; i < 9; i++)
      pace = observe(pace, turn({ decodeRows: 1, promptTokens: 8, stepMs: 26 }))
    expect(tokensBeside(1, pace)).toBeLessThan(4)
  })

  it('comes back from single slow steps', () => {
    let step = 0
    const noise = () => (++step % 50 === 0 ? 5 : 1)
    const steps = readBeside(fourLayers, 1, 2_000, noise)
    const usual = steps.slice(stepsAlone).filter((_, at) => (stepsAlone + at + 1) % 50 !== 0)
    expect(Math.max(...usual.map(({ ms }) => ms))).toBeLessThanOrEqual(2.1 * steps[8]!.ms)
    const undisturbed = readBeside(fourLayers, 1, 2_000)
    expect(steps.length).toBeLessThan(1.5 * undisturbed.length)
  })

  it('runs a step without prompts first when the normal gap is not known', () => {
    expect(tokensBeside(1, unknownPace)).toBe(0)
    const pace = observe(unknownPace, turn({ decodeRows: 2, promptTokens: 0, stepMs: 10 }))
    expect(tokensBeside(1, pace)).toBe(0)
    expect(tokensBeside(2, pace)).toBe(4)
    expect(tokensBeside(3, pace)).toBe(4)
  })

  it('measures the normal gap again after 32 steps with prompts', () => {
    const chunks = readBeside(nano, 1, 4_000).map(({ chunk }) => chunk)
    const probes = chunks.flatMap((chunk, at) =>
      at >= stepsAlone && chunk === 0 ? [at - stepsAlone] : [],
    )
    expect(probes.slice(0, 3)).toEqual([32, 65, 98])
  })

  it('allows one token at least, however long steps are', () => {
    let pace = observe(unknownPace, turn({ decodeRows: 1, promptTokens: 0, stepMs: 10 }))
    for (let i = 0; i < 9; i++)
      pace = observe(pace, turn({ decodeRows: 1, promptTokens: 4, stepMs: 9_000 }))
    expect(tokensBeside(1, pace)).toBe(1)
  })

  it('at most doubles from one step to the next', () => {
    const chunks = readBeside({ fixed: 100, token: 0.001, attention: 0 }, 1, 4_000)
    expect(chunks.slice(stepsAlone, stepsAlone + 6).map(({ chunk }) => chunk)).toEqual([
      4, 8, 16, 32, 64, 128,
    ])
  })

  it('takes no notice of steps without streams', () => {
    expect(observe(unknownPace, turn({ promptTokens: 512, stepMs: 99 }))).toEqual(unknownPace)
  })
})

describe('an image', () => {
  const image = { prompts: 0, images: 1 }

  /** Gaps of one stream in milliseconds, while an image of so much work is looked at. */
  function lookBeside(workMs: number, work: number, noise = () => 1): number[] {
    let pace: Pace = unknownPace
    const gaps: number[] = []
    for (let done = 0, step = 0; done < work; step++) {
      const visionWork =
        step < stepsAlone ? 0 : Math.min(work - done, allowedBeside(1, pace, image).visionWork)
      const [stepMs, visionMs] = [20 * noise(), visionWork * workMs * noise()]
      pace = observe(pace, turn({ decodeRows: 1, visionWork, readers: image, stepMs, visionMs }))
      if (step >= stepsAlone) gaps.push(stepMs + visionMs)
      done += visionWork
    }
    return gaps
  }

  it('is looked at in pieces that keep gaps within twice the normal', () => {
    const gaps = lookBeside(0.06, 46_000)
    expect(quantile(gaps, 0.99)).toBeLessThanOrEqual(2 * 20)
    expect(quantile(gaps, 0.5)).toBeGreaterThan(1.75 * 20)
  })

  it('does so on a machine that is not steady', () => {
    const gaps = [1, 2, 3, 4].flatMap((seed) =>
      lookBeside(0.06, 200_000, noiseOf(seed, 0.2, 400)).slice(stepsToLearn),
    )
    expect(quantile(gaps, 0.99)).toBeLessThanOrEqual(2.02 * 20)
  })

  it('whose least piece is too long does not shorten what prompts have', () => {
    let pace = observe(unknownPace, turn({ decodeRows: 1, stepMs: 2 }))
    const piece = { decodeRows: 1, visionWork: 64, readers: image, stepMs: 2, visionMs: 4 }
    for (let i = 0; i < 20; i++) pace = observe(pace, turn(piece))
    expect(pace.ratio).toBe(unknownPace.ratio)
  })

  it('is judged by what large pieces cost, however much the first small one took', () => {
    let pace = observe(unknownPace, turn({ visionWork: 10, visionMs: 20 }))
    pace = observe(pace, turn({ decodeRows: 1, stepMs: 20 }))
    const asked: number[] = []
    for (let i = 0; i < 20; i++) {
      const { visionWork } = allowedBeside(1, pace, image)
      asked.push(visionWork)
      const visionMs = 0.5 + 0.06 * visionWork
      pace = observe(
        pace,
        turn({ decodeRows: 1, visionWork, readers: image, stepMs: 20, visionMs }),
      )
    }
    expect(asked[0]).toBeCloseTo(16 / 2)
    expect(asked[19]).toBeGreaterThan((0.9 * 15.5) / 0.06)
  })

  it('costs what it adds to the step beside it as well', () => {
    let pace = observe(unknownPace, turn({ decodeRows: 1, stepMs: 20 }))
    const visionWork = 100
    const looking = { decodeRows: 1, visionWork, readers: image, stepMs: 23, visionMs: 7 }
    for (let i = 0; i < 9; i++) pace = observe(pace, turn(looking))
    const freeMs = (pace.ratio - 1) * 20
    const { visionWork: allowed } = allowedBeside(1, pace, image)
    expect(allowed).toBeCloseTo((freeMs / (3 + 7)) * visionWork)
  })

  it('has a least piece at first, and its cost is learnt without streams, too', () => {
    const measured = observe(unknownPace, turn({ decodeRows: 1, stepMs: 20 }))
    expect(allowedBeside(1, measured, image).visionWork).toBe(1)
    const looked = observe(measured, turn({ visionWork: 1_000, visionMs: 50, readers: image }))
    expect(allowedBeside(1, looked, image).visionWork).toBeCloseTo(16 / 0.05)
    expect(allowedBeside(1, looked, image, 'small tenants').visionWork).toBeCloseTo(5 / 0.05)
  })
})
