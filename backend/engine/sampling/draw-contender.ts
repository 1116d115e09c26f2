import type { SamplingParams } from '../job.ts'
import type { Contenders } from './contenders.ts'

/**
 * How far sums over a whole row may be off (`LogitBins`), with a margin: where a limit is this close to a token's end, only
 * the row tells on which side it is.
 */
const slack = 1e-7

/** The first `count` contenders, and no others or perhaps some: their mass is between 0 and `restMass`. */
interface Kept {
  readonly count: number
  readonly restMass: number
}

/**
 * Draws one of the contenders by the rules of the sampler. Masses are relative to the best one's, e^((logit - top) /
 * temperature).
 * @param uniform from [0, 1)
 * @returns the place of the token that would be drawn from the whole row; undefined when that cannot be told
 */
export function drawContender(
  contenders: Contenders,
  sampling: SamplingParams,
  uniform: number,
): number | undefined {
  const { logits } = contenders
  const { temperature, topK = 0, topP = 1, minP = 0 } = sampling
  const top = logits[0]!
  const sums = runningSums(logits.map((logit) => Math.exp((logit - top) / temperature)))
  let kept: Kept = { count: logits.length, restMass: restMassAt(contenders, temperature) }
  if (topK > 0 && topK <= kept.count) kept = { count: topK, restMass: 0 }
  if (topP < 1) {
    const last = placeAt(sums, kept, topP)
    if (last === undefined) return undefined
    kept = { count: last + 1, restMass: 0 }
  }
  if (minP > 0) kept = cutMinP(contenders, kept, top + temperature * Math.log(minP))
  return placeAt(sums, kept, uniform)
}

/** Where a share of the kept mass is reached. @returns undefined when it may be elsewhere */
function placeAt(
  sums: readonly number[],
  { count, restMass }: Kept,
  share: number,
): number | undefined {
  const mass = sums[count - 1]!
  const [least, most] = [share * mass * (1 - slack), share * (mass + restMass) * (1 + slack)]
  const place = sums.findIndex((sum) => sum > least)
  return place < count && sums[place]! > most ? place : undefined
}

function cutMinP({ logits, floor }: Contenders, kept: Kept, least: number): Kept {
  const reaching = logits.filter((logit) => logit >= least).length
  return {
    count: Math.min(kept.count, reaching),
    restMass: least > floor ? 0 : kept.restMass,
  }
}

/** Bounded by the sum at temperature 1: e^(x / temperature) has its largest sum when few or all others are equal. */
function restMassAt(
  { logits, floor, restMass, restCount }: Contenders,
  temperature: number,
): number {
  const power = 1 / temperature
  const relative = power >= 1 ? restMass : restCount ** (1 - power) * restMass ** power
  return Math.min(relative, restCount) * Math.exp((floor - logits[0]!) / temperature)
}

function runningSums(values: readonly number[]): number[] {
  let sum = 0
  return values.map((value) => (sum += value))
}
