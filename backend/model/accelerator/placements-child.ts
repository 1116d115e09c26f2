/** Entry of the process that opens a graph on the card with all details in its log, which only its parent reads. */
import { once } from 'node:events'
import { InferenceSession } from 'onnxruntime-node'
import { forbidTelemetry } from '../no-telemetry.ts'

forbidTelemetry()

/** ONNX Runtime's log levels: 0 = everything, where each node runs included. */
const logEverything = 0

process.once('disconnect', () => process.exit(0))
const [model] = (await once(process, 'message')) as [Uint8Array]
await InferenceSession.create(model, {
  executionProviders: ['webgpu'],
  logSeverityLevel: logEverything,
})
process.exit(0)
