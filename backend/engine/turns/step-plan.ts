import type { SequenceStatus } from '../jobs/phase-clock.ts'

/** What the scheduler needs to know about a sequence that holds a slot. */
export interface Schedulable {
  readonly status: SequenceStatus
  readonly tenant: string
  /** Prompt tokens that are not in the cache yet. */
  readonly promptLeft: number
}

/** One sequence's share of a step. */
export interface PlannedRow<S> {
  readonly sequence: S
  readonly phase: 'prefill' | 'decode'
  /** Known tokens to run; 1 when decoding. */
  readonly tokens: number
  /** The tokens that may come after it, to be run along and verified; only when decoding. */
  readonly draft?: Int32Array | undefined
}

/** What one run of the decoder will carry; no sequence occurs twice. */
export type StepPlan<S> = readonly PlannedRow<S>[]

/** Limits in tokens, which bound how long one step may take. */
export interface StepLimits {
  /** The most tokens in one step, decode rows and prefill chunks together. */
  readonly stepTokenBudget: number
  /** The most prompt tokens of one sequence in one step. */
  readonly prefillChunkTokens: number
}
