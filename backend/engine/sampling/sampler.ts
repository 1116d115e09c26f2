/** Picks one token from a row of logits, by the rules of `SamplingParams`. */
import { ServiceError } from '../../../shared/api/errors.ts'
import type { GenerateJob, SampledLogprobs, SamplingParams } from '../job.ts'
import { keepAll, LogitBins, stricter, type Cut } from './logit-bins.ts'
import { rangeOf, type LogitRange } from './logit-range.ts'
import { modelLogprobs } from './logprobs.ts'
import { choiceSeed, createRandom } from './random.ts'
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
 * The sampler of one choice of a job, with its own random state and its own memory of what it picked.
 *
 * The stages, in order: the model's own log probabilities are read off; penalties and bias change single logits; all
 * control tokens but those that end the answer are left out; temperature 0 takes the largest logit, the lowest id among
 * equals; otherwise the logits are divided by the temperature, `cuts` say which tokens are left, and one of those is
 * drawn by its probability.
 *
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
    const range = finiteRangeOf(allowed)
    const index =
      sampling.temperature === 0
        ? allowed.indexOf(range.top)
        : draw(bins, allowed, range, sampling, random())
    if (index >= controlIdsFrom) return { id: controlStops[index - controlIdsFrom]! }
    const original = penalties?.originalOf(index, logits) ?? logits[index]!
    penalties?.add(index)
    if (model === undefined) return { id: index }
    const logprob = original - model.logTotal
    return { id: index, logprobs: { id: index, logprob, top: model.top } }
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

/** @throws {ServiceError} `internal` when a logit is not finite */
function finiteRangeOf(logits: Float32Array): LogitRange {
  const range = rangeOf(logits)
  if (range !== undefined) return range
  throw new ServiceError('internal', 'The model computed a value that is not a number')
}

/**
 * Where a rule ends the tokens that may be drawn.
 * @param left where the rules before it ended them
 * @param top the largest logit
 */
type CutRule = (bins: LogitBins, sampling: SamplingParams, left: Cut, top: number) => Cut

/** In order. */
const cuts: readonly CutRule[] = [cutTopK, cutTopP, cutMinP]

function cutTopK(bins: LogitBins, { topK = 0 }: SamplingParams): Cut {
  return topK === 0 ? keepAll : bins.cutAtCount(topK)
}

function cutTopP(bins: LogitBins, { topP = 1 }: SamplingParams, left: Cut): Cut {
  return topP === 1 ? keepAll : bins.cutAtMass(topP * bins.massUpTo(left))
}

function cutMinP(_: LogitBins, { minP = 0, temperature }: SamplingParams, __: Cut, top: number) {
  return minP === 0 ? keepAll : { logit: top + temperature * Math.log(minP), id: Infinity }
}

/** @param uniform from [0, 1) @returns an index of `logits` */
function draw(
  bins: LogitBins,
  logits: Float32Array,
  range: LogitRange,
  sampling: SamplingParams,
  uniform: number,
): number {
  bins.fill(logits, range, sampling.temperature)
  let left = keepAll
  for (const cut of cuts) left = stricter(left, cut(bins, sampling, left, range.top))
  return bins.draw(left, uniform)
}
