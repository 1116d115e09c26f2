import type { FinishReason } from '../../shared/api/events.ts'
import type { Sampling } from '../../shared/api/sampling-fields.ts'
import type { Grammar } from '../grammar/grammar.ts'
import type { PatchImage } from '../model/model.ts'

/**
 * How one sequence's tokens are picked; `sampler.ts` has the rules in their order. A rule that is absent does not apply.
 */
export type SamplingParams = Sampling & { readonly seed: number }

interface TokenLogprob {
  readonly id: number
  /** Natural logarithm of the probability the model itself gave: before penalties, bias and temperature. */
  readonly logprob: number
}

/** A sampled token, and the most probable ones in its place, best first, whether they could be picked or not. */
export interface SampledLogprobs extends TokenLogprob {
  readonly top: readonly TokenLogprob[]
}

/** Batch jobs get slots when no interactive job waits, and now and then besides. */
export type JobPriority = 'interactive' | 'batch'

/** What the engine is asked. Token ids and patches only, never text; structured-clone safe, it crosses a process. */
export interface GenerateJob {
  /** Unique among running jobs. */
  readonly id: string
  /** Whom the work is done for, as tenant.ts names it: slots are shared fairly among tenants. */
  readonly tenant: string
  readonly priority: JobPriority
  /** Milliseconds from now after which the answer ends with what it has; 1 or more. */
  readonly timeoutMs?: number | undefined
  /** The whole prompt; each image's placeholder id stands gh * gw / mergeSize² times. */
  readonly promptIds: Int32Array
  /** In the order of their placeholders. */
  readonly images: readonly PatchImage[]
  /** Of each answer, at least 1. The context may end it earlier. */
  readonly maxTokens: number
  /** Most tokens of prompt and all answers together, however many; unlimited unless given. */
  readonly grantedTokens?: number | undefined
  /** Sampling one of these ends the answer; it is not part of it. */
  readonly stopIds: readonly number[]
  /** Ids from here up are control tokens: none but `stopIds` may be sampled. */
  readonly controlIdsFrom: number
  readonly sampling: SamplingParams
  /** Answers to the one prompt, 1 unless given. Each has a seed of its own: `choiceSeed`. */
  readonly choices?: number | undefined
  /** When given, log probabilities are told, with so many alternatives each; may be 0. */
  readonly topLogprobs?: number | undefined
  /** What the text of each answer has to be; anything unless given. */
  readonly format?: Grammar | undefined
}

/** Milliseconds the engine spent on one job, by phase. */
export interface EngineTimings {
  readonly queueMs: number
  readonly visionMs: number
  readonly prefillMs: number
  readonly decodeMs: number
}

export type EngineEvent =
  /** Accepted; `position` jobs wait before it (0 = it starts at once). */
  | { readonly type: 'queued'; readonly position: number }
  | {
      readonly type: 'tokens'
      /** Which answer they belong to, from 0. */
      readonly choice: number
      readonly ids: readonly number[]
      /** One per id, when asked for. */
      readonly logprobs?: readonly SampledLogprobs[] | undefined
    }
  | {
      readonly type: 'end'
      /** One for each choice. */
      readonly finishReasons: readonly FinishReason[]
      /** Sampled tokens of all choices, stop tokens not counted. */
      readonly completionTokens: number
      /** Tokens of the prompt that were taken from the prefix cache instead of being read. */
      readonly cachedTokens: number
      readonly timings: EngineTimings
    }

/** Memory of the caches. Tokens times `bytesPerToken` are bytes. */
interface MemorySnapshot {
  /** Most tokens of slots and prefix cache together. */
  readonly limitTokens: number
  readonly bytesPerToken: number
  /** Granted to open slots: their prompts whole, their answers as they grow. */
  readonly slotTokens: number
  readonly prefixTokens: number
  /** Features of images, kept for those to come. */
  readonly imageBytes: number
}

/** Counters for health, tests and operators. */
export interface EngineSnapshot {
  readonly slots: number
  readonly slotsInUse: number
  /** Sequences that gave way to other tenants, and go on later. */
  readonly paused: number
  readonly queued: number
  /** The two kinds of `queued`. */
  readonly queuedInteractive: number
  readonly queuedBatch: number
  readonly queueLimit: number
  /** Work of all queued jobs as estimated, in prompt tokens; see work.ts. */
  readonly queuedWork: number
  readonly queueWorkLimit: number
  /** What this process gets done in a second of working, in prompt tokens. */
  readonly workPerSecond: number
  /** Tokens held in all slots' caches. */
  readonly cachedTokens: number
  readonly memory: MemorySnapshot
  /** Runs of the vision tower. */
  readonly visionRuns: number
  readonly steps: number
}

/** One job's way through the engine: its events, for one reader. It begins when the first is asked for. */
export interface Generation extends AsyncIterable<EngineEvent> {
  /**
   * Ends one choice with `stop` at the tokens it has, or with its first one, as a stop token would; the others go on. Does
   * nothing when the choice has ended.
   */
  stop(choice: number): void
}

/** The engine as its callers see it, in this process or in another one. */
export interface Engine {
  /**
   * Leaving the loop, aborting `signal` and failing all free the job's slots by the end of the engine's turn. The events
   * throw a ServiceError: when the job is not taken in, `invalid_field`, `context_length_exceeded`,
   * `quota_exceeded`, `queue_full`, `model_loading`, `backend_unavailable` or `shutting_down`; later `deadline_exceeded`, `internal`,
   * `engine_restarted` or `shutting_down`; and `cancelled`, or the ServiceError that `signal` was aborted with.
   */
  generate(job: GenerateJob, signal: AbortSignal): Generation
  snapshot(): EngineSnapshot
}
