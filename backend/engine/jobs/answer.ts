import type { FinishReason } from '../../../shared/api/events.ts'
import type { EngineEvent } from '../job.ts'
import type { Sampled } from '../sampling/sampler.ts'
import { EventQueue } from './event-queue.ts'

type EndEvent = Extract<EngineEvent, { type: 'end' }>

interface AnswerLimits {
  readonly choices: number
  /** The most tokens of each choice, and of all together; at least 1. */
  readonly choiceTokens: number
  readonly totalTokens: number
}

/**
 * The events for the reader of one job: the tokens of all its choices in one stream, which ends with the last of
 * them.
 */
export class Answer {
  readonly events = new EventQueue()
  readonly #limits: AnswerLimits
  /** Indexed by choice. */
  readonly #tokens: number[]
  readonly #finishReasons: (FinishReason | undefined)[]

  constructor(limits: AnswerLimits) {
    this.#limits = limits
    this.#tokens = Array.from({ length: limits.choices }, () => 0)
    this.#finishReasons = Array.from({ length: limits.choices }, () => undefined)
  }

  /** Tokens of all choices so far. */
  get completionTokens(): number {
    return this.#tokens.reduce((sum, tokens) => sum + tokens, 0)
  }

  /**
   * Tokens that a choice which has not ended may still have, 0 or less when it has all. Those that have not ended share
   * equally what the others left of the total, the first ones having one more where it does not divide: so no part ever
   * shrinks.
   */
  tokensLeft(choice: number): number {
    const { choiceTokens, totalTokens } = this.#limits
    const tokens = this.#tokens[choice]!
    if (tokens >= choiceTokens || totalTokens === Infinity) return choiceTokens - tokens
    const open = this.#finishReasons.flatMap((reason, index) =>
      reason === undefined ? [index] : [],
    )
    const left = open.reduce(
      (sum, index) => sum + this.#tokens[index]!,
      totalTokens - this.completionTokens,
    )
    const part =
      Math.floor(left / open.length) + (open.indexOf(choice) < left % open.length ? 1 : 0)
    return Math.min(choiceTokens, part) - tokens
  }

  /** Whether a choice that has not ended has all the tokens it may have. */
  isFull(choice: number): boolean {
    return this.tokensLeft(choice) <= 0
  }

  add(choice: number, { id, logprobs }: Sampled): void {
    this.#tokens[choice]! += 1
    const reported = logprobs === undefined ? {} : { logprobs: [logprobs] }
    this.events.push({ type: 'tokens', choice, ids: [id], ...reported })
  }

  /** @param facts evaluated when this was the last choice */
  finish(
    choice: number,
    reason: FinishReason,
    facts: () => Pick<EndEvent, 'cachedTokens' | 'timings'>,
  ): void {
    this.#finishReasons[choice] = reason
    const reasons = this.#finishReasons.filter((known) => known !== undefined)
    if (reasons.length < this.#finishReasons.length) return
    const { completionTokens } = this
    this.events.push({ type: 'end', finishReasons: reasons, completionTokens, ...facts() })
  }
}
