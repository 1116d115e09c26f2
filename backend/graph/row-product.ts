import type { GraphBuilder, Value } from './graph-builder.ts'
import {
  div,
  matMulIntegerToFloat,
  max,
  mul,
  neg,
  quantizeLinear,
  reduceMax,
  reduceMin,
} from './operators.ts'
import { maxLevel, quantizeRows, zeroPoint } from './quantize.ts'
import { bytesOf, readInChunks, rowCount, rowSize, type WeightSource } from './weight-source.ts'

/** Below any activation that matters; a row of zeros must not be divided by 0. */
const leastMagnitude = 1e-20

/** Rows of activations in 8 bits, to be multiplied by any number of weights. */
export interface QuantizedRows {
  /** uint8 [rows, in] */
  readonly values: Value
  /** [rows, 1] */
  readonly scales: Value
}

/**
 * Rows in 8 bits, with one scale for each, found while running:
 *
 *     s = max |x| / 127,  q = round(x / s) + 128
 */
export function quantizedRows(g: GraphBuilder, x: Value): QuantizedRows {
  const largest = max(g, reduceMax(g, x), neg(g, reduceMin(g, x)))
  const magnitude = max(g, largest, g.float32s([leastMagnitude]))
  const levels = mul(g, x, div(g, g.float32s([maxLevel]), magnitude))
  return {
    values: quantizeLinear(g, levels, g.float32s([1], []), g.uint8s([zeroPoint], [])),
    scales: mul(g, magnitude, g.float32s([1 / maxLevel])),
  }
}

/**
 * x w^T in 8 bits, with one scale for each row of x and one for each row of w: y = s t ((q - 128) w_q). The operator takes
 * a single scale for all of q, so the rows' own are multiplied in afterwards.
 * @param weight [out, in], as checkpoints store it
 */
export function rowProduct(g: GraphBuilder, x: QuantizedRows, weight: WeightSource): Value {
  const unit = { scale: g.float32s([1], []), zeroPoint: g.uint8s([zeroPoint], []) }
  const operand = { values: x.values, ...unit }
  return mul(g, matMulIntegerToFloat(g, operand, rowQuantizedWeight(g, weight)), x.scales)
}

/** int8 [in, out], as the operator reads it, and scales [out]. The bytes of one matrix are held while it is turned. */
function rowQuantizedWeight(g: GraphBuilder, weight: WeightSource) {
  const [rows, width] = [rowCount(weight), rowSize(weight)]
  const values = g.external('weight', 'int8', [width, rows])
  const scales = g.external('scales', 'float32', [rows])
  g.fill('weight', async (write) => {
    const turned = new Int8Array(rows * width)
    for await (const chunk of readInChunks(weight)) {
      const quantized = quantizeRows(chunk.values, width, width)
      await write(scales, chunk.start * 4, bytesOf(quantized.scales))
      for (let i = 0; i < quantized.values.length; i++) {
        const row = chunk.start + Math.floor(i / width)
        turned[(i % width) * rows + row] = quantized.values[i]! - zeroPoint
      }
    }
    await write(values, 0, new Uint8Array(turned.buffer))
  })
  return { values, scales }
}
