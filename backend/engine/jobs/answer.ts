import type { FinishReason } from '../../../shared/api/events.ts'
import type { EngineEvent } from '../job.ts'
import type { Sampled } from '../sampling/sampler.ts'
import { EventQueue } from './event-queue.ts'

type EndEvent = Extract<EngineEvent, { type: 'end' }>

/** What the reader of one job gets: the tokens of all its choices in one stream, which ends with the last of them. */
export class Answer {
  readonly events = new EventQueue()
  readonly #finishReasons: (FinishReason | undefined)[]
  #completionTokens = 0

  constructor(choices: number) {
    this.#finishReasons = Array.from({ length: choices }, () => undefined)
  }

  /** Tokens of all choices so far. */
  get completionTokens(): number {
    return this.#completionTokens
  }

  add(choice: number, { id, logprobs }: Sampled): void {
    this.#completionTokens += 1
    const told = logprobs === undefined ? {} : { logprobs: [logprobs] }
    this.events.push({ type: 'tokens', choice, ids: [id], ...told })
  }

  /** @param facts asked for when this was the last choice */
  finish(
    choice: number,
    reason: FinishReason,
    facts: () => Pick<EndEvent, 'cachedTokens' | 'timings'>,
  ): void {
    this.#finishReasons[choice] = reason
    const reasons = this.#finishReasons.filter((known) => known !== undefined)
    if (reasons.length < this.#finishReasons.length) return
    this.events.push({
      type: 'end',
      finishReasons: reasons,
      completionTokens: this.#completionTokens,
      ...facts(),
    })
  }
}
