/** Picks one token from a vocabulary's logits, by the rules of `SamplingParams`. */
import { ServiceError } from '../../../shared/api/errors.ts'
import type { Settled } from '../../grammar/constraint.ts'
import type { Candidates, ModelInfo } from '../../model/model.ts'
import type { GenerateJob, SampledLogprobs, SamplingParams } from '../job.ts'
import { contendersOf } from './contenders.ts'
import { cutRules } from './cut-rules.ts'
import { drawContender } from './draw-contender.ts'
import { keepAll, LogitBins, stricter } from './distribution/logit-bins.ts'
import { rangeOf, type LogitRange } from './distribution/logit-range.ts'
import { candidateLogprobs, modelLogprobs, type ModelLogprobs } from './logprobs.ts'
import { choiceSeed, createRandom, type Random } from './random.ts'
import { penaltiesOf, type TokenPenalties } from './token-penalties.ts'
import { AnyText, type TokenRule } from './token-rule.ts'

/** A token, and on request its probability. */
export interface Sampled extends Settled {
  readonly logprobs?: SampledLogprobs | undefined
}

/** Picks the tokens of one answer, one after the other. */
export interface Sampler {
  /** Does what it can for the next token before its logits are there. */
  prepare(): void
  /**
   * @param logits [vocabSize], which it may modify
   * @param tokensLeft that the answer may still have, this one counted; unlimited unless given
   * @throws {ServiceError} `internal` when a logit that counts is not finite
   */
  pick(logits: Float32Array, tokensLeft?: number): Sampled
  /**
   * Picks the very token that `pick` would.
   * @returns undefined when the candidates do not tell; then `pick` is to be called with all logits
   */
  pickFrom(candidates: Candidates, tokensLeft?: number): Sampled | undefined
}

export type SamplerJob = Pick<
  GenerateJob,
  'promptIds' | 'sampling' | 'stopIds' | 'controlIdsFrom' | 'topLogprobs' | 'format' | 'thought'
>

/**
 * The sampler of one choice of a job, with its own random state and its own memory of the tokens it picked.
 *
 * The stages, in order: the model's own log probabilities are read off; penalties and bias change single logits; all
 * tokens that may not be picked are left out; temperature 0 takes the largest logit, the lowest id among equals;
 * otherwise the logits are divided by the temperature, `cutRules` say which tokens are left, and one of those is drawn by its
 * probability: the first at which the sum of probabilities, the largest first, exceeds a random number. The rule may put
 * another token in its stead.
 *
 * @param info placeholders of images in the prompt do not count as text for the repetition penalty
 * @param rule says which tokens may be picked: any text unless given
 */
export function createSampler(
  job: SamplerJob,
  choice: number,
  info: Pick<ModelInfo, 'imageTokenId' | 'vocabSize'>,
  rule: TokenRule = new AnyText(job),
): Sampler {
  return new ChoiceSampler(job, choice, info, rule)
}

class ChoiceSampler implements Sampler {
  readonly #job: SamplerJob
  readonly #vocabSize: number
  readonly #rule: TokenRule
  readonly #random: Random
  readonly #penalties: TokenPenalties | undefined
  readonly #bins = new LogitBins()
  /** The random number for the next token, once it is drawn. */
  #uniform: number | undefined

  constructor(
    job: SamplerJob,
    choice: number,
    { imageTokenId, vocabSize }: Pick<ModelInfo, 'imageTokenId' | 'vocabSize'>,
    rule: TokenRule,
  ) {
    this.#job = job
    this.#vocabSize = vocabSize
    this.#rule = rule
    this.#random = createRandom(choiceSeed(job.sampling.seed, choice))
    this.#penalties = penaltiesOf(job, imageTokenId)
  }

  prepare(): void {
    this.#rule.prepare()
  }

  pick(logits: Float32Array, tokensLeft = Infinity): Sampled {
    const { sampling, topLogprobs } = this.#job
    const model = topLogprobs === undefined ? undefined : modelLogprobs(logits, topLogprobs)
    this.#penalties?.apply(logits)
    const allowed = this.#rule.pack(logits)
    const range = finiteRangeOf(allowed)
    const position =
      sampling.temperature === 0
        ? allowed.indexOf(range.top)
        : draw(this.#bins, allowed, range, sampling, this.#nextUniform())
    const picked = this.#rule.idAt(position)
    const logitOf = (id: number) => allowed[id === picked ? position : this.#rule.positionOf(id)]!
    return this.#settle(picked, tokensLeft, logitOf, model)
  }

  pickFrom(candidates: Candidates, tokensLeft = Infinity): Sampled | undefined {
    const { sampling, topLogprobs, format, thought } = this.#job
    // An ending that takes a token's place need not be a candidate.
    const mayReplace = format !== undefined || thought !== undefined
    if (topLogprobs !== undefined && mayReplace) return undefined
    const model = topLogprobs === undefined ? undefined : candidateLogprobs(candidates, topLogprobs)
    if (topLogprobs !== undefined && model === undefined) return undefined
    const contenders = contendersOf(candidates, {
      penalties: this.#penalties,
      allows: this.#rule.filter(),
      vocabSize: this.#vocabSize,
    })
    if (contenders === undefined) return undefined
    const place =
      sampling.temperature === 0 ? 0 : drawContender(contenders, sampling, this.#nextUniform())
    if (place === undefined) return undefined
    const logitOf = () => contenders.logits[place]!
    return this.#settle(contenders.ids[place]!, tokensLeft, logitOf, model)
  }

  #nextUniform(): number {
    this.#uniform ??= this.#random()
    return this.#uniform
  }

  /** @param logitOf after penalties and bias */
  #settle(
    picked: number,
    tokensLeft: number,
    logitOf: (id: number) => number,
    model: ModelLogprobs | undefined,
  ): Sampled {
    this.#uniform = undefined
    const { id, end } = this.#rule.settle(picked, tokensLeft)
    if (id >= this.#job.controlIdsFrom) return { id, end }
    const original = this.#penalties?.originalOf(id) ?? logitOf(id)
    this.#penalties?.add(id)
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
  for (const { applies, cut } of cutRules) {
    if (applies(sampling)) left = stricter(left, cut(bins, sampling, left, range.top))
  }
  return bins.draw(left, uniform)
}
