import { Tensor } from 'onnxruntime-node'
import type { ElementType } from '../../graph/onnx-proto.ts'

/** A tensor on the host over existing bytes, which begin at a multiple of the element's size. */
export function tensorOf(type: ElementType, dims: readonly number[], bytes: Uint8Array): Tensor {
  const { buffer, byteOffset, byteLength } = bytes
  switch (type) {
    case 'float32':
      return new Tensor(type, new Float32Array(buffer, byteOffset, byteLength / 4), dims)
    case 'float16':
      return new Tensor(type, new Uint16Array(buffer, byteOffset, byteLength / 2), dims)
    case 'uint8':
      return new Tensor(type, bytes, dims)
    case 'int8':
      return new Tensor(type, new Int8Array(buffer, byteOffset, byteLength), dims)
    case 'int32':
      return new Tensor(type, new Int32Array(buffer, byteOffset, byteLength / 4), dims)
    case 'int64':
      return new Tensor(type, new BigInt64Array(buffer, byteOffset, byteLength / 8), dims)
  }
}
