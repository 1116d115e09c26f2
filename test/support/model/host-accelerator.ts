import { InferenceSession } from 'onnxruntime-node'
import { elementTypes, encodeModel, valueCount } from '../../../backend/graph/onnx-proto.ts'
import type { ElementType } from '../../../backend/graph/onnx-proto.ts'
import type { Accelerator } from '../../../backend/model/accelerator/accelerator.ts'
import { tensorOf } from '../../../backend/model/accelerator/tensor-bytes.ts'
import { forbidTelemetry } from '../../../backend/model/no-telemetry.ts'

forbidTelemetry()

/** ONNX Runtime's log levels: 3 = errors only. */
const logErrorsOnly = 3

/**
 * The CPU in place of a device, with the same graphs: slow, since every run copies what a device updates in place. It
 * shows on any machine that the graphs compute the right results.
 */
export function openHostAccelerator(threads: number): Accelerator {
  const sessions: InferenceSession[] = []
  return {
    // Node's own Float16Array is not one of the types that ONNX Runtime 1.30 takes.
    hasFloat16: false,
    repeating: undefined,
    async open(graph) {
      const session = await InferenceSession.create(encodeModel(graph, ''), {
        executionProviders: ['cpu'],
        intraOpNumThreads: threads,
        enableMemPattern: false,
        logSeverityLevel: logErrorsOnly,
      })
      sessions.push(session)
      return session
    },
    upload: (type, dims, bytes) => Promise.resolve(tensorOf(type, dims, bytes.slice())),
    zeros: (type, dims) => Promise.resolve(tensorOf(type, dims, zeroBytes(type, dims))),
    free() {},
    view(tensor, dims) {
      const { buffer, byteOffset } = tensor.data as Float32Array<ArrayBuffer>
      const type = tensor.type as ElementType
      const byteLength = valueCount(dims) * elementTypes[type].bytes
      return tensorOf(type, dims, new Uint8Array(buffer, byteOffset, byteLength))
    },
    readRow({ data, dims: [, width] }, row) {
      const values = data as Float32Array
      return Promise.resolve(values.slice(row * width!, (row + 1) * width!))
    },
    run: (session, feeds) => session.run(feeds),
    async close() {
      await Promise.all(sessions.map((session) => session.release()))
    },
  }
}

function zeroBytes(type: ElementType, dims: readonly number[]): Uint8Array {
  return new Uint8Array(valueCount(dims) * elementTypes[type].bytes)
}
