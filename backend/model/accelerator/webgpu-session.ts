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
 * By default, the provider keeps the memory that a run no longer needs, by size, for what it records next (buffer-sizes.ts). It has to:
 * the host records far ahead of the card, and memory that goes back to the driver is not free before the card has
 * got there, so a run would take all of its intermediate results at once, with those of the full model 15 GB.
 */
const provider = { name: 'webgpu' } as const

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
