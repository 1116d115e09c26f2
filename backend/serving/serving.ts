import type { EngineView } from '../cluster/health/engine-entry.ts'
import type { Describer } from '../describe.ts'
import type { EngineSnapshot } from '../engine/job.ts'
import type { MemoryCheck } from '../memory/memory-check.ts'
import type { StartUp } from '../inference/supervisor/start-progress.ts'

/** What answers requests, as the rest of the program sees it: the engine of this server, or engines elsewhere. */
export interface Serving {
  /** @throws {ServiceError} `model_loading` until there is one */
  describer(): Describer
  readiness(): 'ready' | 'model_loading' | 'engine_restarting' | 'shutting_down'
  /** Whether requests could be prepared and sent to an engine. */
  isLoaded(): boolean
  /** Whether an engine that runs now has described a picture. */
  isProven(): boolean
  startUp(): StartUp
  snapshot(): EngineSnapshot
  /** Whether the model fits into this machine's memory; undefined with engines elsewhere, and until it is known. */
  memory(): MemoryCheck | undefined
  /** Of the inference process, if there is one. */
  enginePid(): number | undefined
  /** Of the processes that decode pictures. */
  decodePids(): readonly number[]
  /** Threads of this process that prepare requests: they come when there is more to do, and go when idle. */
  workerThreads(): number
  /** Undefined with the engine of this server. */
  readonly engines: (() => readonly EngineView[]) | undefined
  /** Tokens of prompt and answer together, where the model alone does not determine them. */
  readonly contextTokens: (() => number) | undefined
  /**
   * Settles when it is ready for the first time, or `stopping` is aborted.
   * @throws {Error} for the operator, when it cannot become ready
   */
  start(stopping: AbortSignal): Promise<void>
  /** Answers have ended: stops everything that was started. */
  close(): Promise<void>
}
