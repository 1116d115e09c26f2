import { ServiceError } from '../../shared/api/errors.ts'
import type { Model } from '../model/model.ts'
import type { CacheMemory } from './cache-memory.ts'
import { observe, promptShare, promptTokensBeside, unknownPace } from './pacer.ts'
import { planStep, streamsOfSmallTenants } from './scheduler.ts'
import type { Sequence } from './sequence.ts'
import type { StepLimits, StepPlan } from './step-plan.ts'
import { workPerSampledToken } from './work.ts'

interface StepRunnerOptions {
  readonly model: Pick<Model, 'step'>
  readonly memory: CacheMemory
  /** Of steps beside which nobody streams. */
  readonly limits: StepLimits
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Tokens of every chunk of a prompt, when they may not depend on what else runs. */
  readonly fixedChunkTokens: number | undefined
}

/** Plans steps, runs them, and hands their outcome to the sequences that took part. */
export class StepRunner {
  readonly #options: StepRunnerOptions
  #pace = unknownPace
  /** Of the step that is planned or runs; see `promptShare`. */
  #share = 1
  #steps = 0

  constructor(options: StepRunnerOptions) {
    this.#options = options
  }

  /** Steps begun so far. */
  get steps(): number {
    return this.#steps
  }

  /**
   * @param running sequences that hold a slot, longest first
   * @param turn number of the engine's turn
   * @returns the work that was done, in prompt tokens; undefined when there was nothing to run
   */
  async run(running: readonly Sequence[], turn: number): Promise<number | undefined> {
    const ready = running.filter((sequence) => this.#hasMemory(sequence))
    const plan = planStep(ready, this.#limitsBeside(running), turn)
    if (plan.length === 0) return undefined
    const startedMs = this.#options.now()
    this.#steps += 1
    try {
      handOut(plan, await this.#logitsOf(plan))
      this.#rememberPrompts(plan)
      return this.#measure(plan, this.#options.now() - startedMs)
    } catch (cause) {
      // Nobody knows what the step left in these caches.
      const error = modelError(cause)
      for (const { sequence } of plan) sequence.fail(error)
      return 0
    }
  }

  /** Whether a step may add a token to its answer; a prompt's memory is granted when it starts. */
  #hasMemory({ status, slot, cachedTokens }: Sequence): boolean {
    return status !== 'decode' || this.#options.memory.grow(slot, cachedTokens + 1)
  }

  /** What the next step may carry: beside streams, so much that they keep their pace. */
  #limitsBeside(running: readonly Sequence[]): StepLimits {
    const { fixedChunkTokens, limits } = this.#options
    if (fixedChunkTokens !== undefined) {
      // A budget would cut the last chunk that does not fit.
      return { stepTokenBudget: Infinity, prefillChunkTokens: fixedChunkTokens }
    }
    const countOf = (phase: 'decode' | 'prefill') =>
      running.filter(({ status }) => status === phase).length
    const streams = countOf('decode')
    if (streams === 0) return limits
    this.#share = promptShare(countOf('prefill'))
    const streamsOf = streamsOfSmallTenants(running) ? 'small tenants' : 'any'
    const paced = streams + promptTokensBeside(streams, this.#pace, this.#share, streamsOf)
    return { ...limits, stepTokenBudget: Math.min(limits.stepTokenBudget, paced) }
  }

  /** For each row of the plan, where it asked for them. */
  async #logitsOf(plan: StepPlan<Sequence>): Promise<(Float32Array | undefined)[]> {
    const rows = plan.map(({ sequence, tokens }) => sequence.rowOf(tokens))
    const logits = await this.#options.model.step(rows)
    if (logits.length !== rows.filter(({ sample }) => sample).length) {
      throw new RangeError('The model returned another number of rows than was asked for')
    }
    let next = 0
    return rows.map(({ sample }) => (sample ? logits[next++] : undefined))
  }

  /** Prompts that are read whole now may help others at once, not only when their answer is done. */
  #rememberPrompts(plan: StepPlan<Sequence>): void {
    for (const { sequence, phase } of plan) {
      if (phase === 'prefill' && sequence.status === 'decode') {
        this.#options.memory.remember(sequence.slot, sequence)
      }
    }
  }

  /** @returns the work of the step */
  #measure(plan: StepPlan<Sequence>, ms: number): number {
    const decodeRows = plan.filter(({ phase }) => phase === 'decode').length
    const promptTokens = plan.reduce((sum, { tokens }) => sum + tokens, 0) - decodeRows
    this.#pace = observe(this.#pace, { decodeRows, promptTokens, share: this.#share, ms })
    return promptTokens + workPerSampledToken * decodeRows
  }
}

/** Gives each sequence the outcome of its row; its failure is its own. */
function handOut(plan: StepPlan<Sequence>, logits: readonly (Float32Array | undefined)[]): void {
  plan.forEach(({ sequence, tokens }, row) => {
    if (sequence.status === 'ended') return
    try {
      sequence.advance(tokens, logits[row])
    } catch (cause) {
      sequence.fail(modelError(cause))
    }
  })
}

function modelError(cause: unknown): ServiceError {
  if (cause instanceof ServiceError) return cause
  return new ServiceError('internal', 'Cannot generate an answer: the model failed', { cause })
}
