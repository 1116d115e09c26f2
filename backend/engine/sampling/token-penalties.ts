import { ServiceError } from '../../../shared/api/errors.ts'
import type { GenerateJob, SamplingParams } from '../job.ts'

/** State of one token that some rule may affect. */
interface TouchedToken {
  readonly id: number
  /** Occurs in the prompt or in the answer. */
  inText: boolean
  /** Number of occurrences in the answer. */
  count: number
  readonly bias: number
  /** Its logit as computed by the model, valid since it was last changed. */
  original: number
}

/** Logits are float32. */
const largestLogit = 3.4028234663852886e38

function within(value: number, limit: number): number {
  return Math.max(-limit, Math.min(value, limit))
}

type Penalized = Pick<GenerateJob, 'promptIds' | 'sampling'>

/**
 * The rules that change single logits. Repetition considers prompt and answer, as in Hugging Face's generation
 * (Keskar et al., "CTRL"); presence and frequency consider the answer alone, as in OpenAI's API.
 */
export class TokenPenalties {
  readonly #repetition: number
  readonly #presence: number
  readonly #frequency: number
  readonly #touched = new Map<number, TouchedToken>()

  constructor({ promptIds, sampling }: Penalized, imageTokenId: number) {
    this.#repetition = sampling.repetitionPenalty ?? 1
    this.#presence = sampling.presencePenalty ?? 0
    this.#frequency = sampling.frequencyPenalty ?? 0
    for (const [id, bias] of sampling.logitBias ?? []) this.#touch(id, bias)
    if (this.#repetition === 1) return
    for (const id of promptIds) {
      if (id !== imageTokenId) this.#touch(id).inText = true
    }
  }

  /** Counts a token of the answer. */
  add(id: number): void {
    const token = this.#touch(id)
    token.inText = true
    token.count += 1
  }

  /** Changes logits [vocabSize] in place. */
  apply(logits: Float32Array): void {
    for (const token of this.#touched.values()) {
      const original = logits[token.id]!
      token.original = original
      logits[token.id] = this.#changed(original, token)
    }
  }

  /**
   * Changes the logits of some tokens in place.
   * @returns false when the logit of another one may have become larger, of which nothing is known here
   */
  applyToSome(ids: Int32Array, logits: Float32Array): boolean {
    const places = new Map([...ids].map((id, place) => [id, place]))
    for (const token of this.#touched.values()) {
      const place = places.get(token.id)
      if (place === undefined) {
        if (this.#mayRise(token)) return false
        continue
      }
      token.original = logits[place]!
      logits[place] = this.#changed(token.original, token)
    }
    return true
  }

  /** What the logit was before it was changed; undefined when it was not. */
  originalOf(id: number): number | undefined {
    return this.#touched.get(id)?.original
  }

  #mayRise({ inText, count, bias }: TouchedToken): boolean {
    const added = count > 0 ? bias - this.#presence - count * this.#frequency : bias
    return added > 0 || (inText && this.#repetition < 1)
  }

  #changed(original: number, { inText, count, bias }: TouchedToken): number {
    let logit = original
    if (inText) logit = logit > 0 ? logit / this.#repetition : logit * this.#repetition
    if (count > 0) logit -= this.#presence + count * this.#frequency
    // A tiny repetition penalty takes a logit beyond what a row can hold; one that was infinite before is reported.
    return Number.isFinite(original) ? within(logit + bias, largestLogit) : original
  }

  #touch(id: number, bias = 0): TouchedToken {
    const known = this.#touched.get(id)
    if (known !== undefined) return known
    const token = { id, inText: false, count: 0, bias, original: 0 }
    this.#touched.set(id, token)
    return token
  }
}

/** @throws {ServiceError} `invalid_field` when a bias refers to a token the model does not have */
export function checkLogitBias({ logitBias = [] }: SamplingParams, vocabSize: number): void {
  const unknown = logitBias.find(([id]) => id >= vocabSize)
  if (unknown === undefined) return
  const message = `logit_bias: token ids end at ${vocabSize - 1}, received ${unknown[0]}`
  throw new ServiceError('invalid_field', message, { param: `logit_bias.${unknown[0]}` })
}

/** The penalties requested by a job, if any. */
export function penaltiesOf(job: Penalized, imageTokenId: number): TokenPenalties | undefined {
  return hasPenalties(job.sampling) ? new TokenPenalties(job, imageTokenId) : undefined
}

function hasPenalties(sampling: SamplingParams): boolean {
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, logitBias } = sampling
  return (
    repetitionPenalty !== 1 ||
    presencePenalty !== 0 ||
    frequencyPenalty !== 0 ||
    (logitBias?.length ?? 0) > 0
  )
}
