import { InferenceSession } from 'onnxruntime-node'

/** ONNX Runtime's log levels: 3 = errors only; some operators warn on every run. */
const logErrorsOnly = 3

/**
 * For a graph of many short operators: threads that fell asleep after each would be woken thousands of times a run, and
 * the full model decode a sixth slower. Microseconds; longer than the operators between two that use all threads.
 */
const awakeBetweenOperators = 300

interface SessionOptions {
  readonly threads: number
  /** Threads stay awake between the operators of a run, at the price of processor time others might have used. */
  readonly stayAwake?: boolean
}

/** Opens a graph for the CPU. Between runs its threads sleep: awake ones would burn a core while idle. */
export function createSession(
  graphFile: string,
  { threads, stayAwake = false }: SessionOptions,
): Promise<InferenceSession> {
  const spinning = stayAwake
    ? { allow_spinning: '1', spin_duration_us: String(awakeBetweenOperators) }
    : { allow_spinning: '0' }
  return InferenceSession.create(graphFile, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Plans of memory are per shape, and almost every run has a new one.
    enableMemPattern: false,
    logSeverityLevel: logErrorsOnly,
    extra: { session: { intra_op: spinning, force_spinning_stop: '1' } },
  })
}
