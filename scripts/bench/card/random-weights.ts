import type { ExternalInitializer } from '../../../backend/graph/onnx-proto.ts'
import type { ReadWeight } from '../../../backend/graph/weight-reader.ts'
import { bytesOf } from '../../../backend/graph/weight-source.ts'
import { randomBytes, randomFloats } from './noise.ts'

/** Standard deviation of bytes that are equally likely. */
const byteDeviation = 256 / Math.sqrt(12)

/** Bytes by which the beginning moves from weight to weight, so that no two are equal. */
const stride = 4099 * 64

/**
 * Weights of a device graph as they would be after the conversion of a random checkpoint, without its minutes: random
 * bytes, cut out of one stretch that is made once, with scales that keep activations near 1.
 * @param largestBytes of the largest weight
 */
export function randomWeights(largestBytes: number): ReadWeight {
  const levels = randomBytes(largestBytes + 64 * stride)
  let made = 0
  return (weight) => {
    made += 1
    return Promise.resolve(
      weight.type === 'uint8'
        ? levels.subarray((made % 64) * stride, (made % 64) * stride + weight.byteLength)
        : bytesOf(floats(weight)),
    )
  }
}

function floats({ name, dims, byteLength }: ExternalInitializer): Float32Array {
  const length = byteLength / 4
  if (name.endsWith('/scales')) {
    const width = 32 * dims.slice(1).reduce((product, size) => product * size, 1)
    return new Float32Array(length).fill(1 / (byteDeviation * Math.sqrt(width)))
  }
  if (name.endsWith('norm/weight')) return new Float32Array(length).fill(1)
  return randomFloats(length, name.startsWith('/rope/') ? 1 : 0.02)
}
