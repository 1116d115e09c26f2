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

/** Opens a graph for the CPU. Between runs its threads sleep, since awake ones would keep a core busy while idle. */
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
    // Memory plans are made per shape, and almost every run has a new shape.
    enableMemPattern: false,
    logSeverityLevel: logErrorsOnly,
    extra: { session: { intra_op: spinning, force_spinning_stop: '1' } },
  })
}
