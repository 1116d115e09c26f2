import type { FinishReason } from '../../shared/api/events.ts'
import type { PatchImage } from '../model/model.ts'

/**
 * How one sequence's tokens are picked; a rule that is absent does not apply. First the logits are changed: by
 * `repetitionPenalty`, `presencePenalty` and `frequencyPenalty`, then `logitBias`. `temperature` 0 picks the largest.
 * Otherwise the logits are divided by `temperature`, and of the probabilities they stand for `topK`, then `topP` of
 * what is left, then `minP` decide which may be drawn.
 */
export interface SamplingParams {
  readonly temperature: number
  /** Above 0, up to 1. Keeps the smallest set of most probable tokens whose probabilities reach this. */
  readonly topP: number
  readonly seed: number
  /** At least 1. Keeps so many most probable tokens. */
  readonly topK?: number | undefined
  /** 0 to 1. Keeps tokens at least this times as probable as the most probable one. */
  readonly minP?: number | undefined
  /** Above 0. Positive logits of tokens in prompt or answer are divided by it, negative ones multiplied. */
  readonly repetitionPenalty?: number | undefined
  /** Subtracted from the logit of every token the answer has. */
  readonly presencePenalty?: number | undefined
  /** Subtracted as many times as the answer has the token. */
  readonly frequencyPenalty?: number | undefined
  /** Added to the logits of single tokens; control tokens stay forbidden. */
  readonly logitBias?: readonly (readonly [id: number, bias: number])[] | undefined
}

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
  /** Whom the work is done for: slots are shared fairly among tenants. API key id or client certificate name. */
  readonly tenant: string
  readonly priority: JobPriority
  /** Milliseconds from now after which the answer ends with what it has; 1 or more. */
  readonly timeoutMs?: number | undefined
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
  /** Answers to the one prompt, 1 unless given. Each has a seed of its own: `choiceSeed`. */
  readonly choices?: number | undefined
  /** When given, log probabilities are told, with so many alternatives each; may be 0. */
  readonly topLogprobs?: number | undefined
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
      /** Of the first choice. */
      readonly finishReason: FinishReason
      /** Of every choice, when there are several. */
      readonly finishReasons?: readonly FinishReason[] | undefined
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

/**
 * The engine as its callers see it, in-process or across one. Leaving the loop, aborting `signal` and failing all
 * free the slot within one step. Throws ServiceError: `queue_full`, `context_length_exceeded`, `engine_restarted`,
 * `model_loading`, `cancelled`.
 */
export interface Engine {
  /**
   * @param enough one per choice, if any: aborting it ends that choice with `stop` at the tokens it has, as a stop
   *   token would; the others go on
   */
  generate(
    job: GenerateJob,
    signal: AbortSignal,
    enough?: readonly AbortSignal[],
  ): AsyncIterable<EngineEvent>
  snapshot(): EngineSnapshot
}
