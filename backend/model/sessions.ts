import { InferenceSession } from 'onnxruntime-node'

/** ONNX Runtime's log levels: 3 = errors only; some operators warn on every run. */
const logErrorsOnly = 3

/**
 * Threads stay awake so long between two operators of a run: if they fell asleep after each, they would be woken
 * thousands of times, and the full model would decode a sixth slower. Microseconds; longer than the operators between
 * two that use all threads.
 */
const awakeBetweenOperators = 300

/** Opens a graph for the CPU. Between runs its threads sleep: awake ones would burn a core while idle. */
export function createSession(
  graphFile: string,
  { threads }: { readonly threads: number },
): Promise<InferenceSession> {
  const spinning = { allow_spinning: '1', spin_duration_us: String(awakeBetweenOperators) }
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
