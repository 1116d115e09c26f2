import type { Vocabulary } from '../grammar/masks/vocabulary.ts'
import type { Model } from '../model/model.ts'
import type { CacheLimits } from './memory/cache-limits.ts'
import type { StepLimits } from './turns/step-plan.ts'

/**
 * Next to streams the pace allows fewer. Without streams, 512 tokens use the matrix kernels well, and more would only
 * delay new arrivals.
 */
const defaultStepTokenBudget = 512
const defaultPrefillChunkTokens = 512

export interface EngineOptions extends Partial<StepLimits> {
  /** From here on only the engine may call it. */
  readonly model: Model
  /** The texts of tokens, for jobs with a format; without it there can be none. */
  readonly vocabulary?: Vocabulary | undefined
  /** The most jobs that may wait for a slot. */
  readonly queueLimit: number
  /** Without it nothing is limited or cached. */
  readonly caches?: CacheLimits
  /** The most estimated work that may wait, in prompt tokens. Unlimited unless given. */
  readonly queueWorkLimit?: number
  /** Weights of tenants, more than 0; 1 for those not named. */
  readonly tenantWeights?: ReadonlyMap<string, number>
  /**
   * Makes answers independent of what else runs, bit for bit; in exchange, streams pause longer while prompts are
   * read.
   */
  readonly deterministic?: boolean
  /**
   * Whether tokens of streams are drafted and verified, where that pays. Not in the deterministic mode: the last bits of logits
   * depend on what was drafted.
   */
  readonly speculates?: boolean
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number
  /** Gives arrivals, cancellations and readers their turn between steps. */
  readonly yieldToEvents?: () => Promise<unknown>
}

/** @throws {RangeError} when options contradict each other */
export function limitsOf({
  model,
  stepTokenBudget = defaultStepTokenBudget,
  prefillChunkTokens = defaultPrefillChunkTokens,
  deterministic = false,
  speculates = false,
}: EngineOptions): StepLimits {
  if (stepTokenBudget < model.info.slots) {
    throw new RangeError('The step token budget is below the number of slots')
  }
  if (deterministic && speculates) {
    throw new RangeError('Nothing can be drafted in the deterministic mode')
  }
  return { stepTokenBudget, prefillChunkTokens }
}
