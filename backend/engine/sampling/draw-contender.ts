import type { SamplingParams } from '../job.ts'
import type { Contenders } from './contenders.ts'
import { cutRules } from './cut-rules.ts'
import { placeAt, type Kept } from './kept-contenders.ts'

/**
 * Draws one of the contenders by the rules of the sampler. Masses are relative to the best one's, e^((logit - top) /
 * temperature).
 * @param uniform from [0, 1)
 * @returns the place of the token that would be drawn from the whole row; undefined when contenders do not decide it
 */
export function drawContender(
  contenders: Contenders,
  sampling: SamplingParams,
  uniform: number,
): number | undefined {
  const { logits } = contenders
  const { temperature } = sampling
  const top = logits[0]!
  const sums = runningSums(logits.map((logit) => Math.exp((logit - top) / temperature)))
  let kept: Kept = { count: logits.length, restMass: restMassAt(contenders, temperature) }
  for (const { applies, keep } of cutRules) {
    if (!applies(sampling)) continue
    const next = keep?.(contenders, sampling, kept, sums)
    if (next === undefined) return undefined
    kept = next
  }
  return placeAt(sums, kept, uniform)
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
