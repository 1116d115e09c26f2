import type { FinishReason } from '../../shared/api/events.ts'
import type { Sampling } from '../../shared/api/request/sampling-fields.ts'
import type { Grammar } from '../grammar/grammar.ts'
import type { PatchImage } from '../model/model.ts'

/**
 * How one sequence's tokens are picked; `sampler.ts` applies the rules in order. A rule that is absent does not
 * apply.
 */
export type SamplingParams = Sampling & { readonly seed: number }

interface TokenLogprob {
  readonly id: number
  /** Natural logarithm of the model's own probability, before penalties, bias and temperature. */
  readonly logprob: number
}

/**
 * A sampled token, and the most probable alternatives at its position, best first, whether or not they could be
 * picked.
 */
export interface SampledLogprobs extends TokenLogprob {
  readonly top: readonly TokenLogprob[]
}

/** Batch jobs get slots when no interactive job waits, and now and then in between. */
export type JobPriority = 'interactive' | 'batch'

/** Tokens of the texts that begin and end a thought. The model may write them in other tokens. */
export interface ThoughtMarks {
  readonly begin: readonly number[]
  readonly end: readonly number[]
}

/**
 * A job for the engine. Token ids and patches only, never text; safe to structured-clone, because it crosses a
 * process boundary.
 */
export interface GenerateJob {
  /** Unique among running jobs. */
  readonly id: string
  /** The tenant the work is done for, as named by tenant.ts: slots are shared fairly among tenants. */
  readonly tenant: string
  readonly priority: JobPriority
  /** Milliseconds from now after which the answer ends with what it has; 1 or more. */
  readonly timeoutMs?: number | undefined
  /** The whole prompt; each image's placeholder id occurs gh * gw / mergeSize² times. */
  readonly promptIds: Int32Array
  /** In the order of their placeholders. */
  readonly images: readonly PatchImage[]
  /** For each answer; at least 1. The context may end it earlier. */
  readonly maxTokens: number
  /** The most tokens of prompt and all answers together; unlimited unless given. */
  readonly grantedTokens?: number | undefined
  /** Sampling one of these ends the answer, which does not include it. */
  readonly stopIds: readonly number[]
  /** Ids from here upwards are control tokens, of which only `stopIds` may be sampled. */
  readonly controlIdsFrom: number
  readonly sampling: SamplingParams
  /** Answers to the prompt, 1 unless given. Each has a seed of its own: `choiceSeed`. */
  readonly choices?: number | undefined
  /** If given, log probabilities are reported, each with this many alternatives; may be 0. */
  readonly topLogprobs?: number | undefined
  /** Whether there are events of its phases. */
  readonly reportsPhases?: boolean | undefined
  /** What the text of each answer has to be; anything unless given. */
  readonly format?: Grammar | undefined
  /** If given, the model thinks between these markers before its answer. */
  readonly thought?: ThoughtMarks | undefined
  /** The most tokens that a thought may have, both markers included; unlimited unless given. */
  readonly thoughtTokens?: number | undefined
}

/** Milliseconds the engine spent on one job, by phase. */
export interface EngineTimings {
  readonly queueMs: number
  readonly visionMs: number
  readonly prefillMs: number
  readonly decodeMs: number
}

/** The phases of a job: it waits, its images are processed, its prompt is read, its answers are generated. */
export type EnginePhase = 'queue' | 'vision' | 'prefill' | 'decode'

export type EngineEvent =
  /** Accepted; `position` jobs wait before it (0 = it starts at once). */
  | { readonly type: 'queued'; readonly position: number }
  /** The first choice has come to this phase; only of a job that `reportsPhases`. Milliseconds since 1970. */
  | { readonly type: 'phase'; readonly phase: EnginePhase; readonly epochMs: number }
  | {
      readonly type: 'tokens'
      /** Index of the answer they belong to, from 0. */
      readonly choice: number
      readonly ids: readonly number[]
      /** One per id, on request. */
      readonly logprobs?: readonly SampledLogprobs[] | undefined
    }
  | {
      readonly type: 'end'
      /** One per choice. */
      readonly finishReasons: readonly FinishReason[]
      /** Sampled tokens of all choices, excluding stop tokens. */
      readonly completionTokens: number
      /** Prompt tokens taken from the prefix cache instead of being read. */
      readonly cachedTokens: number
      readonly timings: EngineTimings
    }

/** Memory of the caches. Tokens times `bytesPerToken` are bytes. */
interface MemorySnapshot {
  /** The most tokens of slots and prefix cache together. */
  readonly limitTokens: number
  readonly bytesPerToken: number
  /** Granted to open slots: their whole prompts, and their answers as they grow. */
  readonly slotTokens: number
  readonly prefixTokens: number
  /** Bytes of cached image features. */
  readonly imageBytes: number
}

interface PhaseTime {
  /** Calls of the model. */
  readonly count: number
  /** Milliseconds they took together. */
  readonly ms: number
}

/**
 * The engine's work by kind: steps of streams (`decode`), of prompts (`prefill`) and of both (`mixed`), and pieces of
 * pictures (`vision`).
 */
export type PhaseTimes = Readonly<Record<'decode' | 'prefill' | 'mixed' | 'vision', PhaseTime>>

/** Tokens that were drafted and verified since the start, and those of them that were accepted. */
export interface SpeculationCounts {
  readonly draftedTokens: number
  readonly acceptedTokens: number
}

/** Counters for health, tests and operators. */
export interface EngineSnapshot {
  readonly slots: number
  readonly slotsInUse: number
  /** Sequences that gave way to other tenants and will continue later. */
  readonly paused: number
  /** How often a running sequence has given way. */
  readonly pauses: number
  readonly queued: number
  /** The two parts of `queued`. */
  readonly queuedInteractive: number
  readonly queuedBatch: number
  readonly queueLimit: number
  /** Estimated work of all queued jobs, in prompt tokens; see work.ts. */
  readonly queuedWork: number
  readonly queueWorkLimit: number
  /** Work done per second of running time, in prompt tokens. */
  readonly workPerSecond: number
  /** Tokens in the caches of all slots. */
  readonly cachedTokens: number
  readonly memory: MemorySnapshot
  /** Runs of the vision tower. */
  readonly visionRuns: number
  readonly steps: number
  readonly phases: PhaseTimes
  readonly speculation: SpeculationCounts
}

/** One job's way through the engine, as events for a single reader. It begins when the first event is requested. */
export interface Generation extends AsyncIterable<EngineEvent> {
  /**
   * Ends one choice with `stop`, as a stop token would, at the tokens it has or with its first one; the other choices
   * continue. Does nothing when the choice has ended.
   */
  stop(choice: number): void
}

/** The engine as its callers see it, in this process or in another one. */
export interface Engine {
  /**
   * Leaving the loop, aborting `signal` and failing all free the job's slots by the end of the engine's turn. The
   * events throw a ServiceError: when the job is not accepted, `invalid_field`, `context_length_exceeded`,
   * `quota_exceeded`, `queue_full`, `model_loading`, `backend_unavailable` or `shutting_down`; later
   * `deadline_exceeded`, `internal`, `engine_restarted` or `shutting_down`; and `cancelled`, or the ServiceError that
   * `signal` was aborted with.
   */
  generate(job: GenerateJob, signal: AbortSignal): Generation
  snapshot(): EngineSnapshot
}
