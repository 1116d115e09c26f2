import type { Candidates } from '../../../backend/model/model.ts'

/** The candidates that a model gives for a row of logits, by a full sort. */
export function candidatesOf(logits: Float32Array, count: number): Candidates {
  const ids = Int32Array.from(logits.keys())
    .toSorted((a, b) => logits[b]! - logits[a]!)
    .subarray(0, count)
  const top = logits[ids[0]!]!
  const mass = logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0)
  return { ids, logits: Float32Array.from(ids, (id) => logits[id]!), logSum: top + Math.log(mass) }
}
