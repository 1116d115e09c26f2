import { wantedLogits, type Model, type NextLogits } from '../../model/model.ts'
import type { Sequence } from '../jobs/sequence.ts'
import type { CacheMemory } from '../memory/cache-memory.ts'
import type { Speculation } from '../speculation/speculation.ts'
import { prepareDuring } from './prepare-during.ts'
import { modelError, RowOutcome } from './row-outcome.ts'
import { planStep } from './scheduler.ts'
import type { StepLimits, StepPlan } from './step-plan.ts'

interface StepRunnerOptions {
  readonly model: Pick<Model, 'step' | 'truncateSlot'>
  readonly memory: CacheMemory
  /** Drafts tokens of streams; undefined where nothing is drafted. */
  readonly speculation: Speculation<Sequence> | undefined
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

/** Summary of a step. */
interface StepDone {
  /** Tokens that streams ran, drafts included. */
  readonly decodeRows: number
  /** Tokens that streams went on by. */
  readonly streamTokens: number
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
   * @param costOf time of a step of streams with this many tokens; undefined where nothing is to be drafted now
   * @returns undefined when there was nothing to run, or it failed
   */
  async run(
    ready: readonly Sequence[],
    limits: StepLimits,
    turn: number,
    costOf?: (rows: number) => number,
  ): Promise<StepDone | undefined> {
    const plan = this.#withDrafts(planStep(ready, limits, turn), costOf)
    if (plan.length === 0) return undefined
    const startedMs = this.#options.now()
    this.#steps += 1
    let outcomes: readonly RowOutcome[]
    try {
      const logits = await this.#logitsOf(plan)
      outcomes = plan.map((row, i) => new RowOutcome(row, logits[i]!))
      await handOut(outcomes)
      this.#settleDrafts(plan, outcomes)
      this.#rememberPrompts(plan)
    } catch (cause) {
      // The state in which the step left these caches is unknown.
      const error = modelError(cause)
      for (const { sequence } of plan) sequence.fail(error)
      return undefined
    }
    const streams = plan.filter(({ phase }) => phase === 'decode')
    return {
      decodeRows: sumOf(streams, ({ draft }) => 1 + (draft?.length ?? 0)),
      streamTokens: sumOf(outcomes, ({ accepted }) => accepted) + streams.length,
      promptTokens: sumOf(plan, ({ tokens }) => tokens) - streams.length,
      ms: this.#options.now() - startedMs,
    }
  }

  #withDrafts(
    plan: StepPlan<Sequence>,
    costOf: ((rows: number) => number) | undefined,
  ): StepPlan<Sequence> {
    const { speculation } = this.#options
    if (speculation === undefined || costOf === undefined) return plan
    const drafts = speculation.draft(
      plan.map(({ sequence }) => sequence),
      costOf,
    )
    return plan.map((row, i) => ({ ...row, draft: drafts[i] }))
  }

  /** The logits for each row of the plan, as many as it requested. */
  async #logitsOf(plan: StepPlan<Sequence>): Promise<(readonly NextLogits[])[]> {
    const rows = plan.map(({ sequence, tokens, draft }) => sequence.rowOf(tokens, draft))
    const step = this.#options.model.step(rows)
    const samples = plan.filter(({ sequence }, i) => rows[i]!.sample && sequence.hasGrammar)
    await prepareDuring(
      step,
      samples.map(({ sequence }) => sequence),
    )
    const logits = await step
    if (logits.length !== sumOf(rows, wantedLogits)) {
      throw new RangeError('The model returned another number of rows than was asked for')
    }
    let next = 0
    return rows.map((row) => logits.slice(next, (next += wantedLogits(row))))
  }

  /** Drafted tokens that were not accepted leave the cache. */
  #settleDrafts(plan: StepPlan<Sequence>, outcomes: readonly RowOutcome[]): void {
    const { model, speculation } = this.#options
    plan.forEach(({ sequence, draft }, i) => {
      if (draft === undefined) return
      const { accepted } = outcomes[i]!
      speculation?.verified(sequence, draft.length, accepted)
      if (accepted < draft.length) model.truncateSlot(sequence.slot, sequence.cachedTokens)
    })
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

/** Those first for whom candidates suffice: reading whole rows takes time. */
async function handOut(outcomes: readonly RowOutcome[]): Promise<void> {
  for (const outcome of outcomes) outcome.takeDecided()
  for (const outcome of outcomes) await outcome.takeRest()
}

function sumOf<Item>(items: readonly Item[], countOf: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + countOf(item), 0)
}
