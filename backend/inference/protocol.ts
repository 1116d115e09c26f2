/**
 * The messages between the HTTP process and the inference process. Both come from the same build, so there are no
 * versions. Messages are structured clones: typed arrays are transferred as bytes.
 */
import type { LoadingLine } from '../model/loading/loading-line.ts'
import type { FormChoice } from '../model/convert/graphs/weight-forms.ts'
import type { ErrorCode } from '../../shared/api/errors.ts'
import type { ProgressAmount } from '../../shared/progress/progress.ts'
import type { MemoryCheck } from '../memory/memory-check.ts'
import type { MemorySettings } from '../memory/memory-parts.ts'
import type { EngineEvent, EngineSnapshot, GenerateJob } from '../engine/job.ts'

/** Identifies one call of `generate` on the wire. Job ids are the callers' and may repeat. */
export type JobKey = number

/** How jobs wait and run; see `createEngine`. */
export interface EngineSettings {
  /** The most jobs that may wait for a slot. */
  readonly queueLimit: number
  /** The most estimated work that may wait for a slot, in prompt tokens. */
  readonly queueWorkLimit: number
  /** Weights of tenants by name, more than 0; 1 for those not named. */
  readonly tenantWeights: ReadonlyMap<string, number>
  readonly deterministic: boolean
  /** Whether tokens of streams are drafted and verified, where that pays. */
  readonly speculates: boolean
  readonly caches: CacheSettings
}

/** As set by the operator; see cache-limits.ts. */
interface CacheSettings {
  /** Unset: determined by the memory that is free when the model is loaded. 0: no limit other than the slots' own. */
  readonly kvTokens: number | undefined
  readonly prefixTokens: number
  readonly imageBytes: number
}

/** How the decoder uses a graphics card. */
interface CardSettings {
  /** Tokens for which its memory is set aside. */
  readonly cacheTokens: number
  /** Layers, from the first on, that stay on the CPU. */
  readonly cpuLayers: number
}

/** Memory that is not the engine's to give. */
export interface MemoryLimits extends Pick<MemorySettings, 'uploadBytes' | 'decodeBytes'> {
  /** Memory that all programs may take together, if set by the operator; undefined for what is free. */
  readonly limitBytes: number | undefined
}

/** What the inference process needs to know before it can load. */
export interface InferenceInit {
  readonly model: FormChoice & {
    readonly checkpointDir: string
    readonly modelsDir: string
    /** The most sequences in one step. */
    readonly slots: number
    readonly threads: number
    /** Undefined: the decoder runs on the CPU. */
    readonly card?: CardSettings | undefined
    /** Layers of each of the decoder's stages on the CPU; undefined for as many stages as load fastest, or one before a card's. */
    readonly stageLayers?: readonly number[] | undefined
  }
  readonly engine: EngineSettings
  readonly memory: MemoryLimits
}

/** A ServiceError on the wire, without its cause. */
export interface WireError {
  readonly code: ErrorCode
  readonly message: string
  readonly param: string | undefined
  readonly retryAfterSeconds: number | undefined
}

export type ToChild =
  /** The first message, sent once. */
  | { readonly type: 'init'; readonly init: InferenceInit }
  /** A `generate` with images follows: megabytes, which arrive only while no step blocks the thread. */
  | { readonly type: 'incoming'; readonly key: JobKey }
  | { readonly type: 'generate'; readonly key: JobKey; readonly job: GenerateJob }
  /** One choice has all the tokens its reader wants. It may have ended already. */
  | { readonly type: 'stop'; readonly key: JobKey; readonly choice: number }
  /** The job may have ended already. */
  | { readonly type: 'cancel'; readonly key: JobKey }
  /** Answered with a `pong` between two calls of the model. */
  | { readonly type: 'ping' }
  /** Ends all jobs, then the process. */
  | { readonly type: 'close' }

/** One event of one job. `end` and an error are its last. */
export type JobUpdate =
  | { readonly key: JobKey; readonly event: EngineEvent }
  | { readonly key: JobKey; readonly error: WireError }

export type ToParent =
  /** While loading; the text is for people. */
  | {
      readonly type: 'progress'
      readonly text: string
      readonly amount?: ProgressAmount | undefined
    }
  /** While weights are checked and loaded; comes through the pipe of `loading-line.ts`. */
  | ({ readonly type: 'loading' } & LoadingLine)
  /** Before anything is converted or loaded: whether the model fits. */
  | { readonly type: 'memory'; readonly check: MemoryCheck }
  | { readonly type: 'ready'; readonly snapshot: EngineSnapshot }
  /**
   * The model cannot be loaded, or the state can no longer be relied on; the process ends. `text` is for the
   * operator.
   */
  | { readonly type: 'fatal'; readonly text: string }
  /** A call of the model begins or goes on that may block the process for up to `boundMs` milliseconds. */
  | { readonly type: 'busy'; readonly boundMs: number }
  | { readonly type: 'pong' }
  /** A problem that no client may see in full; for the operator's log. */
  | { readonly type: 'problem'; readonly text: string }
  /** All results of one turn of the engine, and the counters when they changed. */
  | {
      readonly type: 'update'
      readonly jobs: readonly JobUpdate[]
      readonly snapshot: EngineSnapshot | undefined
    }
