import type { SamplingParams } from '../job.ts'
import type { Contenders } from './contenders.ts'
import type { Cut, LogitBins } from './distribution/logit-bins.ts'
import { placeAt, type Kept } from './kept-contenders.ts'

/** A rule that narrows down the tokens that may be drawn. */
interface CutRule {
  /** Whether it leaves anything out. */
  readonly applies: (sampling: SamplingParams) => boolean
  /**
   * Of all logits.
   * @param left the cut made by the rules before it
   * @param top the largest logit
   */
  readonly cut: (bins: LogitBins, sampling: SamplingParams, left: Cut, top: number) => Cut
  /**
   * The same cut of contenders; a rule without it is only applied to all logits.
   * @param sums of the contenders' masses, up to each
   * @returns undefined when contenders do not tell
   */
  readonly keep?: (
    contenders: Contenders,
    sampling: SamplingParams,
    kept: Kept,
    sums: readonly number[],
  ) => Kept | undefined
}

const topK: CutRule = {
  applies: ({ topK: count = 0 }) => count > 0,
  cut: (bins, { topK: count = 0 }) => bins.cutAtCount(count),
  keep: (_, { topK: count = 0 }, kept) => (count <= kept.count ? { count, restMass: 0 } : kept),
}

const topP: CutRule = {
  applies: ({ topP: share = 1 }) => share < 1,
  cut: (bins, { topP: share = 1 }, left) => bins.cutAtMass(share * bins.massUpTo(left)),
  keep: (_, { topP: share = 1 }, kept, sums) => {
    const last = placeAt(sums, kept, share)
    return last === undefined ? undefined : { count: last + 1, restMass: 0 }
  },
}

const minP: CutRule = {
  applies: ({ minP: share = 0 }) => share > 0,
  cut: (_, sampling, __, top) => ({ logit: leastLogit(sampling, top), id: Infinity }),
  keep: ({ logits, floor }, sampling, { count, restMass }) => {
    const least = leastLogit(sampling, logits[0]!)
    const reaching = logits.filter((logit) => logit >= least).length
    return { count: Math.min(count, reaching), restMass: least > floor ? 0 : restMass }
  },
}

function leastLogit({ minP: share = 0, temperature }: SamplingParams, top: number): number {
  return top + temperature * Math.log(share)
}

/** In order of application. A new rule is an entry here, and a field in shared/api/request/sampling-fields.ts. */
export const cutRules: readonly CutRule[] = [topK, topP, minP]
