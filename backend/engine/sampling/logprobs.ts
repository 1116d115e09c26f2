import type { Candidates } from '../../model/model.ts'
import type { SampledLogprobs } from '../job.ts'
import { massOf } from './distribution/logit-mass.ts'
import { forPieces } from './distribution/row-loops.ts'

/** The requested part of the model's own distribution over its whole vocabulary. */
export interface ModelLogprobs {
  readonly top: SampledLogprobs['top']
  /** Natural logarithm of the sum of e^logit: log probability = logit - this. */
  readonly logTotal: number
}

/**
 * @param logits [vocabSize], as the model computed them
 * @param topCount number of alternatives wanted
 */
export function modelLogprobs(logits: Float32Array, topCount: number): ModelLogprobs {
  const best = largestIndices(logits, Math.max(1, topCount))
  const largest = logits[best[0]!]!
  const logTotal = largest + Math.log(massOf(logits, largest))
  const top = best.slice(0, topCount).map((id) => ({ id, logprob: logits[id]! - logTotal }))
  return { top, logTotal }
}

/**
 * The same from candidates.
 * @returns undefined when they are too few
 */
export function candidateLogprobs(
  { ids, logits, logSum }: Candidates,
  topCount: number,
): ModelLogprobs | undefined {
  const floor = logits.at(-1)!
  const best = [...ids.keys()]
    .filter((place) => logits[place]! > floor)
    .toSorted((a, b) => logits[b]! - logits[a]! || ids[a]! - ids[b]!)
    .slice(0, topCount)
  if (best.length < topCount || !Number.isFinite(logSum)) return undefined
  const top = best.map((place) => ({ id: ids[place]!, logprob: logits[place]! - logSum }))
  return { top, logTotal: logSum }
}

/** The largest values so far, in descending order, and their indices. */
interface Largest {
  readonly values: Float32Array
  readonly indices: Int32Array
}

/**
 * Indices of the largest of finite values, in descending order, lower ones first among equals. Meant for few of many.
 */
export function largestIndices(values: Float32Array, wanted: number): number[] {
  const count = Math.min(wanted, values.length)
  if (count === 0) return []
  const largest = {
    values: new Float32Array(count).fill(-Infinity),
    indices: new Int32Array(count),
  }
  forPieces(values.length, (from, to) => {
    let at = from
    while ((at = nextLarger(values, at, to, largest.values[count - 1]!)) < to) {
      insert(largest, values[at]!, at)
      at += 1
    }
  })
  return [...largest.indices]
}

/** @returns `to` when there is none */
function nextLarger(values: Float32Array, from: number, to: number, least: number): number {
  let at = from
  for (; at + 7 < to; at += 8) {
    if (values[at]! > least) break
    if (values[at + 1]! > least) break
    if (values[at + 2]! > least) break
    if (values[at + 3]! > least) break
    if (values[at + 4]! > least) break
    if (values[at + 5]! > least) break
    if (values[at + 6]! > least) break
    if (values[at + 7]! > least) break
  }
  while (at < to && !(values[at]! > least)) at += 1
  return at
}

/** Inserts a value after all that are not less; the last one drops out. */
function insert({ values, indices }: Largest, value: number, index: number): void {
  let at = values.length - 1
  for (; at > 0 && values[at - 1]! < value; at--) {
    values[at] = values[at - 1]!
    indices[at] = indices[at - 1]!
  }
  values[at] = value
  indices[at] = index
}
