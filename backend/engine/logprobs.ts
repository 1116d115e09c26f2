import type { SampledLogprobs } from './job.ts'
import { createAxis, massOf } from './bin-axis.ts'

/** Blocks a row is divided into at least, when it is long enough; well above the alternatives anyone may ask for. */
const minBlocks = 2_048

/** The model's own distribution over its whole vocabulary, as far as it is told. */
export interface ModelLogprobs {
  readonly top: SampledLogprobs['top']
  /** Natural logarithm of the sum of e^logit: log probability = logit - this. */
  readonly logTotal: number
}

/**
 * @param logits [vocabSize], as the model computed them
 * @param topCount alternatives wanted
 */
export function modelLogprobs(logits: Float32Array, topCount: number): ModelLogprobs {
  const best = largestPlaces(logits, Math.max(1, topCount))
  const largest = logits[best[0]!]!
  const logTotal =
    largest + Math.log(massOf(logits, createAxis({ top: largest, bottom: largest }, 1)))
  const top = best.slice(0, topCount).map((id) => ({ id, logprob: logits[id]! - logTotal }))
  return { top, logTotal }
}

/**
 * Places of the largest values, falling, lower places first among equals. Of as many blocks as are wanted, each has a
 * value not below the least of their maxima; so only blocks with a larger maximum need a look.
 */
export function largestPlaces(values: Float32Array, wanted: number): number[] {
  const count = Math.min(wanted, values.length)
  if (count === 0) return []
  const blockLength = Math.max(1, Math.floor(values.length / Math.max(minBlocks, count)))
  const maxima = blockMaxima(values, blockLength)
  const least = largestOf(maxima, count).at(-1)!
  const places: number[] = []
  maxima.forEach((maximum, block) => {
    if (maximum <= least) return
    const end = Math.min((block + 1) * blockLength, values.length)
    for (let at = block * blockLength; at < end; at++) if (values[at]! > least) places.push(at)
  })
  places.sort((a, b) => values[b]! - values[a]! || a - b)
  for (let at = values.indexOf(least); places.length < count; at = values.indexOf(least, at + 1)) {
    places.push(at)
  }
  return places.slice(0, count)
}

function blockMaxima(values: Float32Array, blockLength: number): Float32Array {
  const maxima = new Float32Array(Math.ceil(values.length / blockLength))
  for (let block = 0; block < maxima.length; block++) {
    const end = Math.min((block + 1) * blockLength, values.length)
    // Two at a time, for the second comparison need not wait for the first.
    let one = values[end - 1]!
    let other = one
    for (let at = block * blockLength; at + 1 < end; at += 2) {
      if (values[at]! > one) one = values[at]!
      if (values[at + 1]! > other) other = values[at + 1]!
    }
    maxima[block] = Math.max(one, other)
  }
  return maxima
}

/** The `count` largest values, falling: by insertion, for they are few. */
function largestOf(values: Float32Array, count: number): number[] {
  const largest: number[] = []
  for (const value of values) {
    if (largest.length === count && value <= largest[count - 1]!) continue
    const place = largest.findIndex((other) => other < value)
    largest.splice(place < 0 ? largest.length : place, 0, value)
    largest.length = Math.min(largest.length, count)
  }
  return largest
}
