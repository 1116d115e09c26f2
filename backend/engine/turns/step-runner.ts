import { ServiceError } from '../../../shared/api/errors.ts'
import type { Model, NextLogits } from '../../model/model.ts'
import type { Sequence } from '../jobs/sequence.ts'
import type { CacheMemory } from '../memory/cache-memory.ts'
import { planStep } from './scheduler.ts'
import type { StepLimits, StepPlan } from './step-plan.ts'

interface StepRunnerOptions {
  readonly model: Pick<Model, 'step'>
  readonly memory: CacheMemory
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

/** Summary of a step. */
interface StepDone {
  readonly decodeRows: number
  readonly promptTokens: number
  readonly ms: number
}

/** Plans steps, runs them, and hands their outcome to the sequences that took part. */
export class StepRunner {
  readonly #options: StepRunnerOptions
  #steps = 0

  constructor(options: StepRunnerOptions) {
    this.#options = options
  }

  /** Steps begun so far. */
  get steps(): number {
    return this.#steps
  }

  /**
   * The sequences that can take part in a turn: a stream needs memory for its next token. A prompt's is granted when
   * it starts.
   */
  ready(running: readonly Sequence[]): readonly Sequence[] {
    const { memory } = this.#options
    return running.filter(
      ({ status, slot, cachedTokens }) =>
        status !== 'decode' || memory.grow(slot, cachedTokens + 1),
    )
  }

  /**
   * @param ready the longest-running first
   * @param turn number of the engine's turn
   * @returns undefined when there was nothing to run, or it failed
   */
  async run(
    ready: readonly Sequence[],
    limits: StepLimits,
    turn: number,
  ): Promise<StepDone | undefined> {
    const plan = planStep(ready, limits, turn)
    if (plan.length === 0) return undefined
    const startedMs = this.#options.now()
    this.#steps += 1
    try {
      await handOut(plan, await this.#logitsOf(plan))
      this.#rememberPrompts(plan)
    } catch (cause) {
      // The state in which the step left these caches is unknown.
      const error = modelError(cause)
      for (const { sequence } of plan) sequence.fail(error)
      return undefined
    }
    const decodeRows = plan.filter(({ phase }) => phase === 'decode').length
    const promptTokens = plan.reduce((sum, { tokens }) => sum + tokens, 0) - decodeRows
    return { decodeRows, promptTokens, ms: this.#options.now() - startedMs }
  }

  /** The logits for each row of the plan that requested them. */
  async #logitsOf(plan: StepPlan<Sequence>): Promise<(NextLogits | undefined)[]> {
    const rows = plan.map(({ sequence, tokens }) => sequence.rowOf(tokens))
    const logits = await this.#options.model.step(rows)
    if (logits.length !== rows.filter(({ sample }) => sample).length) {
      throw new RangeError('The model returned another number of rows than was asked for')
    }
    let next = 0
    return rows.map(({ sample }) => (sample ? logits[next++] : undefined))
  }

  /** Prompts that are now completely read may help others at once, not only when their answer is done. */
  #rememberPrompts(plan: StepPlan<Sequence>): void {
    for (const { sequence, phase } of plan) {
      if (phase === 'prefill' && sequence.status === 'decode') {
        this.#options.memory.remember(sequence.slot, sequence)
      }
    }
  }
}

/** Gives each sequence the outcome of its row; a failure affects only that sequence. */
async function handOut(
  plan: StepPlan<Sequence>,
  logits: readonly (NextLogits | undefined)[],
): Promise<void> {
  const undecided: { sequence: Sequence; next: NextLogits }[] = []
  plan.forEach(({ sequence, tokens }, row) => {
    const next = logits[row]
    forItself(sequence, () => {
      sequence.advance(tokens)
      if (next === undefined) return
      const isDecided = next.candidates !== undefined && sequence.takeFrom(next.candidates)
      if (!isDecided) undecided.push({ sequence, next })
    })
  })
  for (const { sequence, next } of undecided) {
    const all = await next.row()
    forItself(sequence, () => sequence.takeAll(all))
  }
}

/** Does something that may fail for a sequence which has not ended. */
function forItself(sequence: Sequence, work: () => void): void {
  if (sequence.status === 'ended') return
  try {
    work()
  } catch (cause) {
    sequence.fail(modelError(cause))
  }
}

function modelError(cause: unknown): ServiceError {
  if (cause instanceof ServiceError) return cause
  return new ServiceError('internal', 'Cannot generate an answer: the model failed', { cause })
}
