import type { FinishReason } from '../../shared/api/events.ts'
import type { PatchImage } from '../model/model.ts'

/** How one sequence's tokens are picked. `temperature` 0 is greedy; then `topP` and `seed` play no part. */
interface SamplingParams {
  readonly temperature: number
  readonly topP: number
  readonly seed: number
}

/** What the engine is asked. Token ids and patches only, never text; structured-clone safe, it crosses a process. */
export interface GenerateJob {
  /** Unique among running jobs; the request id. */
  readonly id: string
  /** The whole prompt; each image's placeholder id stands gh * gw / 4 times. */
  readonly promptIds: Int32Array
  /** In the order of their placeholders. */
  readonly images: readonly PatchImage[]
  /** At least 1. The context may end the answer earlier. */
  readonly maxTokens: number
  /** Sampling one of these ends the answer; it is not part of it. */
  readonly stopIds: readonly number[]
  /** Ids from here up are control tokens: none but `stopIds` may be sampled. */
  readonly controlIdsFrom: number
  readonly sampling: SamplingParams
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
  | { readonly type: 'tokens'; readonly ids: readonly number[] }
  | {
      readonly type: 'end'
      readonly finishReason: FinishReason
      /** Sampled tokens, the stop token not counted. */
      readonly completionTokens: number
      readonly timings: EngineTimings
    }

/** Counters for health, tests and operators. */
export interface EngineSnapshot {
  readonly slots: number
  readonly slotsInUse: number
  readonly queued: number
  readonly queueLimit: number
  /** Tokens held in all slots' caches. */
  readonly cachedTokens: number
  readonly steps: number
}

/**
 * The engine as its callers see it, in-process or across one. Leaving the loop, aborting `signal` and failing all
 * free the slot within one step. Throws ServiceError: `queue_full`, `context_length_exceeded`, `engine_restarted`,
 * `model_loading`, `cancelled`.
 */
export interface Engine {
  generate(job: GenerateJob, signal: AbortSignal): AsyncIterable<EngineEvent>
  snapshot(): EngineSnapshot
}
