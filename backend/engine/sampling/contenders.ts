import { logSumError, type Candidates } from '../../model/model.ts'
import type { TokenPenalties } from './token-penalties.ts'

/** Tokens that may be picked, best first, and what is known of all others that may be. */
export interface Contenders {
  readonly ids: readonly number[]
  /** One per id, in falling order and above `floor`; of equal ones, the lowest id is first. */
  readonly logits: readonly number[]
  /** No other token's logit is larger. */
  readonly floor: number
  /** The most that e^(logit - floor) of all others can add up to. */
  readonly restMass: number
  /** The most others there can be. */
  readonly restCount: number
}

interface ContenderRules {
  readonly penalties: TokenPenalties | undefined
  readonly allows: (id: number) => boolean
  readonly vocabSize: number
}

/**
 * The candidates after penalties and bias, without those that may not be picked, and without those that are no longer
 * known to be among the largest: all that is known of other tokens is that their logits do not exceed the last candidate's.
 * @returns undefined when there are none, when another token may have risen, or when a logit is not finite
 */
export function contendersOf(
  candidates: Candidates,
  { penalties, allows, vocabSize }: ContenderRules,
): Contenders | undefined {
  const { ids } = candidates
  const logits = candidates.logits.slice()
  const floor = logits.at(-1)!
  const beyond = Math.min(massBeyond(candidates), vocabSize)
  if (Number.isNaN(beyond)) return undefined
  if (penalties?.applyToSome(ids, logits) === false) return undefined
  const places = [...ids.keys()].filter((place) => allows(ids[place]!))
  const above = places.filter((place) => logits[place]! > floor)
  if (above.length === 0) return undefined
  const fallen = places.filter((place) => logits[place]! <= floor)
  above.sort((a, b) => logits[b]! - logits[a]! || ids[a]! - ids[b]!)
  return {
    ids: above.map((place) => ids[place]!),
    logits: above.map((place) => logits[place]!),
    floor,
    restMass: fallen.reduce((sum, place) => sum + Math.exp(logits[place]! - floor), beyond),
    restCount: vocabSize - above.length,
  }
}

/** The most that e^(logit - floor) of tokens that are no candidates adds up to; NaN when that cannot be known. */
function massBeyond({ logits, logSum }: Candidates): number {
  const [top, floor] = [logits[0]!, logits.at(-1)!]
  const known = logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0)
  const left = Math.exp(logSum + logSumError - top) - known
  // If nothing can be left, the range may be too wide for its exponential.
  return left <= 0 ? 0 : left * Math.exp(top - floor)
}
