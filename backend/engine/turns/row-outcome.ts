import { ServiceError } from '../../../shared/api/errors.ts'
import type { NextLogits } from '../../model/model.ts'
import type { Sequence } from '../jobs/sequence.ts'
import type { PlannedRow } from './step-plan.ts'

/**
 * Hands the outcome of one row to its sequence: it samples from the logits after the tokens it has, and goes on with the next
 * ones as long as it samples what was drafted. A failure affects only that sequence.
 */
export class RowOutcome {
  readonly #row: PlannedRow<Sequence>
  readonly #logits: readonly NextLogits[]
  /** How many of the logits were sampled from. */
  #sampled = 0
  #accepted = 0

  constructor(row: PlannedRow<Sequence>, logits: readonly NextLogits[]) {
    this.#row = row
    this.#logits = logits
    this.#forItself(() => row.sequence.advance(row.tokens))
  }

  /** Drafted tokens that are the sequence's own now, with their rows in the cache. */
  get accepted(): number {
    return this.#accepted
  }

  /** Samples as far as candidates tell. */
  takeDecided(): void {
    for (let next = this.#next; next?.candidates !== undefined; next = this.#next) {
      const { candidates } = next
      let isDecided = false
      this.#forItself(() => (isDecided = this.#row.sequence.takeFrom(candidates)))
      if (!isDecided) return
      this.#tookOne()
    }
  }

  /** Samples the rest, from whole rows of logits where it takes them. */
  async takeRest(): Promise<void> {
    for (let next = this.#next; next !== undefined; next = this.#next) {
      const all = await next.row()
      this.#forItself(() => this.#row.sequence.takeAll(all))
      this.#tookOne()
      this.takeDecided()
    }
  }

  /** The logits after the tokens that the sequence has, if the row has them. */
  get #next(): NextLogits | undefined {
    if (this.#row.sequence.status === 'ended' || this.#accepted < this.#sampled) return undefined
    return this.#logits[this.#sampled]
  }

  #tookOne(): void {
    const { sequence, draft = [] } = this.#row
    this.#sampled += 1
    if (sequence.status === 'ended' || sequence.lastId !== draft[this.#accepted]) return
    this.#forItself(() => sequence.advance(1))
    this.#accepted += 1
  }

  /** Does something that may fail, unless the sequence has ended. */
  #forItself(work: () => void): void {
    const { sequence } = this.#row
    if (sequence.status === 'ended') return
    try {
      work()
    } catch (cause) {
      sequence.fail(modelError(cause))
    }
  }
}

/** What callers learn of a failure of the model. */
export function modelError(cause: unknown): ServiceError {
  if (cause instanceof ServiceError) return cause
  return new ServiceError('internal', 'Cannot generate an answer: the model failed', { cause })
}
