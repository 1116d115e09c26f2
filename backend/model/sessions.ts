import { InferenceSession } from 'onnxruntime-node'
import { forbidTelemetry } from './no-telemetry.ts'

forbidTelemetry()

/** ONNX Runtime's log levels: 3 = errors only, because some operators warn on every run. */
const logErrorsOnly = 3

/**
 * How long threads stay awake between two operators of a run. If they fell asleep after each, they would be woken
 * thousands of times, and the full model would decode a sixth slower. In microseconds; longer than the operators that
 * run between two that use all threads.
 */
const awakeBetweenOperators = 300

interface SessionOptions {
  readonly threads: number
  /** Content of the files that a graph in memory refers to; it must not change while the session is open. */
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[]
}

/** A graph that can be run. */
export type OpenGraph = Pick<InferenceSession, 'run'>

/**
 * Opens a graph, a file or its content, for the CPU. Between runs its threads sleep, since awake ones would keep a core busy
 * while idle.
 */
export function createSession(
  graph: string | Uint8Array,
  { threads, externalData }: SessionOptions,
): Promise<InferenceSession> {
  const spinning = { allow_spinning: '1', spin_duration_us: String(awakeBetweenOperators) }
  const options: InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Memory plans are made per shape, and almost every run has a new shape.
    enableMemPattern: false,
    logSeverityLevel: logErrorsOnly,
    extra: { session: { intra_op: spinning, force_spinning_stop: '1' } },
    ...(externalData && { externalData }),
  }
  return typeof graph === 'string'
    ? InferenceSession.create(graph, options)
    : InferenceSession.create(graph, options)
}
