/** Picks one token from a vocabulary's logits, by the rules of `SamplingParams`. */
import { ServiceError } from '../../../shared/api/errors.ts'
import type { Settled } from '../../grammar/constraint.ts'
import type { GenerateJob, SampledLogprobs, SamplingParams } from '../job.ts'
import { keepAll, LogitBins, stricter, type Cut } from './logit-bins.ts'
import { rangeOf, type LogitRange } from './logit-range.ts'
import { modelLogprobs } from './logprobs.ts'
import { choiceSeed, createRandom } from './random.ts'
import { penaltiesOf } from './token-penalties.ts'
import { AnyText, type TokenRule } from './token-rule.ts'

/** A token, and on request its probability. */
export interface Sampled extends Settled {
  readonly logprobs?: SampledLogprobs | undefined
}

/**
 * Picks a token from logits [vocabSize], which it may modify.
 * @param tokensLeft that the answer may still have, this one counted; unlimited unless given
 */
export type Sampler = (logits: Float32Array, tokensLeft?: number) => Sampled

export type SamplerJob = Pick<
  GenerateJob,
  'promptIds' | 'sampling' | 'stopIds' | 'controlIdsFrom' | 'topLogprobs'
>

/**
 * The sampler of one choice of a job, with its own random state and its own memory of the tokens it picked.
 *
 * The stages, in order: the model's own log probabilities are read off; penalties and bias change single logits; all
 * tokens that may not be picked are left out; temperature 0 takes the largest logit, the lowest id among equals;
 * otherwise the logits are divided by the temperature, `cuts` say which tokens are left, and one of those is drawn by its
 * probability. The rule may put another token in its stead.
 *
 * The sampler throws ServiceError `internal` when a logit that counts is not finite.
 * @param imageTokenId placeholders in the prompt do not count as text for the repetition penalty
 * @param rule says which tokens may be picked: any text unless given
 */
export function createSampler(
  job: SamplerJob,
  choice: number,
  imageTokenId: number,
  rule: TokenRule = new AnyText(job),
): Sampler {
  const { sampling, controlIdsFrom, topLogprobs } = job
  const random = createRandom(choiceSeed(sampling.seed, choice))
  const penalties = penaltiesOf(job, imageTokenId)
  const bins = new LogitBins()
  return (logits, tokensLeft = Infinity) => {
    const model = topLogprobs === undefined ? undefined : modelLogprobs(logits, topLogprobs)
    penalties?.apply(logits)
    const allowed = rule.pack(logits)
    const range = finiteRangeOf(allowed)
    const position =
      sampling.temperature === 0
        ? allowed.indexOf(range.top)
        : draw(bins, allowed, range, sampling, random())
    const picked = rule.idAt(position)
    const { id, end } = rule.settle(picked, tokensLeft)
    if (id >= controlIdsFrom) return { id, end }
    const logit = allowed[id === picked ? position : rule.positionOf(id)]!
    const original = penalties?.originalOf(id) ?? logit
    penalties?.add(id)
    if (model === undefined) return { id, end }
    const logprob = original - model.logTotal
    return { id, end, logprobs: { id, logprob, top: model.top } }
  }
}

/** @throws {ServiceError} `internal` when a logit is not finite */
function finiteRangeOf(logits: Float32Array): LogitRange {
  const range = rangeOf(logits)
  if (range !== undefined) return range
  throw new ServiceError('internal', 'The model computed a value that is not a number')
}

/**
 * A rule that narrows down the tokens that may be drawn.
 * @param left the cut made by the rules before it
 * @param top the largest logit
 */
type CutRule = (bins: LogitBins, sampling: SamplingParams, left: Cut, top: number) => Cut

/** In order of application. */
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
