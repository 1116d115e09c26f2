import { InferenceSession } from 'onnxruntime-node'

/** ONNX Runtime's log levels: 3 = errors only; some operators warn on every run. */
const logErrorsOnly = 3

/**
 * Opens a graph for the CPU.
 * Spinning threads would burn a core while idle, at equal latency, so they sleep instead.
 */
export function createSession(graphFile: string, threads: number): Promise<InferenceSession> {
  return InferenceSession.create(graphFile, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: logErrorsOnly,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  })
}
