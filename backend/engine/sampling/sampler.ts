/** Picks one token from a row of logits, by the rules of `SamplingParams`. */
import { ServiceError } from '../../../shared/api/errors.ts'
import type { GenerateJob, SampledLogprobs, SamplingParams } from '../job.ts'
import { keepAll, LogitBins, stricter, type Cut } from './logit-bins.ts'
import { rangeOf, type LogitRange } from './logit-range.ts'
import { modelLogprobs } from './logprobs.ts'
import { choiceSeed, createRandom, type Random } from './random.ts'
import { penaltiesOf } from './token-penalties.ts'

/** A token, and how likely it was when that is asked for. */
export interface Sampled {
  readonly id: number
  readonly logprobs?: SampledLogprobs | undefined
}

/** Picks a token from logits [vocabSize], which it may modify. */
export type Sampler = (logits: Float32Array) => Sampled

export type SamplerJob = Pick<
  GenerateJob,
  'promptIds' | 'sampling' | 'stopIds' | 'controlIdsFrom' | 'topLogprobs'
>

/**
 * The sampler of one choice of a job, with its own random state and its own memory of what it picked. Temperature 0
 * takes the largest logit, the lowest id among equals.
 * The sampler throws ServiceError `internal` when a logit is not finite.
 * @param imageTokenId placeholders in the prompt are no text to be repeated
 */
export function createSampler(job: SamplerJob, choice: number, imageTokenId: number): Sampler {
  const { sampling, controlIdsFrom, topLogprobs } = job
  const controlStops = controlStopsOf(job)
  const random = createRandom(choiceSeed(sampling.seed, choice))
  const penalties = penaltiesOf(job, imageTokenId)
  const bins = new LogitBins()
  return (logits) => {
    const model = topLogprobs === undefined ? undefined : modelLogprobs(logits, topLogprobs)
    penalties?.apply(logits)
    const allowed = packAllowed(logits, controlIdsFrom, controlStops)
    const place = pickPlace(allowed, sampling, random, bins)
    if (place >= controlIdsFrom) return { id: controlStops[place - controlIdsFrom]! }
    const original = penalties?.originalOf(place, logits) ?? logits[place]!
    penalties?.add(place)
    if (model === undefined) return { id: place }
    const logprob = original - model.logTotal
    return { id: place, logprobs: { id: place, logprob, top: model.top } }
  }
}

/** The control ids that may be picked, rising. */
function controlStopsOf({ stopIds, controlIdsFrom }: SamplerJob): readonly number[] {
  return [...new Set(stopIds)].filter((id) => id >= controlIdsFrom).toSorted((a, b) => a - b)
}

/** Moves the logits of the allowed control ids down behind those of text, in place. */
function packAllowed(
  logits: Float32Array,
  controlIdsFrom: number,
  controlStops: readonly number[],
): Float32Array {
  for (let i = 0; i < controlStops.length; i++) {
    logits[controlIdsFrom + i] = logits[controlStops[i]!]!
  }
  return logits.subarray(0, controlIdsFrom + controlStops.length)
}

function pickPlace(
  logits: Float32Array,
  sampling: SamplingParams,
  random: Random,
  bins: LogitBins,
): number {
  const range = finiteRangeOf(logits)
  if (sampling.temperature === 0) return logits.indexOf(range.top)
  bins.fill(logits, range, sampling.temperature)
  return bins.draw(cutOf(bins, sampling, range.top), random())
}

/** @throws {ServiceError} `internal` when a logit is not finite */
function finiteRangeOf(logits: Float32Array): LogitRange {
  const range = rangeOf(logits)
  if (range !== undefined) return range
  throw new ServiceError('internal', 'The model computed a value that is not a number')
}

/** Where top-k, then top-p of what that leaves, and min-p end the tokens that may be drawn. */
function cutOf(
  bins: LogitBins,
  { temperature, topK, topP, minP = 0 }: SamplingParams,
  top: number,
): Cut {
  let cut = topK === undefined ? keepAll : bins.cutAtCount(topK)
  if (topP < 1) cut = stricter(cut, bins.cutAtMass(topP * bins.massUpTo(cut)))
  if (minP === 0) return cut
  return stricter(cut, { logit: top + temperature * Math.log(minP), id: Infinity })
}
