import type { GraphOptions } from '../graphs/build-graphs.ts'
import type { ConversionEvent } from './conversion-task.ts'

/** What a thread of a conversion needs to begin. Then it is sent a `ConversionTask` whenever it is idle. */
export interface WorkerInit {
  readonly checkpointDir: string
  readonly options: GraphOptions
  /** Where the files are written. */
  readonly folder: string
}

/** What a thread reports; `idle` asks for a task. */
export type FromWorker =
  | { readonly type: 'event'; readonly event: ConversionEvent }
  | { readonly type: 'idle' }
  | { readonly type: 'failed'; readonly problem: string }
