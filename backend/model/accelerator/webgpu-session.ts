import { InferenceSession } from 'onnxruntime-node'
import { errorText } from '../../../shared/log/error-text.ts'
import { forbidTelemetry } from '../no-telemetry.ts'
import { DeviceError } from './accelerator.ts'
import { furtherDrivers } from './driver-files.ts'

forbidTelemetry()
// The loader reads them when the first session is made.
Object.assign(process.env, furtherDrivers(process.env))

/** ONNX Runtime's log levels: 3 = errors only. */
const logErrorsOnly = 3

/** Where the outputs of the sessions that make device tensors are kept. */
export const onDevice = { preferredOutputLocation: 'gpu-buffer' } as const

/**
 * Memory that a run no longer needs goes back to the driver. By default, ONNX Runtime rounds what it allocates up to some sizes and
 * keeps it for the next run that needs one of these: with nano, runs of 150 shapes left 454 MB instead of 90 (docs/gpu.md).
 */
const provider = { name: 'webgpu', storageBufferCacheMode: 'lazyRelease' } as const

/**
 * The option that records runs. The types of onnxruntime-node 1.30 do not know it, nor does its binding, which refuses it:
 * see docs/gpu.md.
 */
export const capturing: InferenceSession.SessionOptions = {
  executionProviders: [{ ...provider, enableGraphCapture: true } as typeof provider],
}

/** @param options beyond those that all sessions have */
export function createSession(
  model: Uint8Array,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  return InferenceSession.create(model, {
    executionProviders: [provider],
    enableMemPattern: false,
    logSeverityLevel: logErrorsOnly,
    ...options,
  })
}

/** Waits for work of a session. @throws {DeviceError} when it failed */
export async function onlyDeviceErrors<Result>(
  work: Promise<Result>,
  failure = 'The graphics card failed',
): Promise<Result> {
  try {
    return await work
  } catch (cause) {
    throw new DeviceError(`${failure}: ${errorText(cause)}`, { cause })
  }
}
