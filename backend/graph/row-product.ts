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

/**
 * x w^T in 8 bits with one scale for each row of x, found while running, and one for each row of w:
 *
 *     s = max |x| / 127,  q = round(x / s) + 128,  y = s t ((q - 128) w_q)
 *
 * The operator takes a single scale for all of q, so the rows' own are multiplied in afterwards.
 * @param weight [out, in], as checkpoints store it
 */
export function rowProduct(g: GraphBuilder, x: Value, weight: WeightSource): Value {
  const largest = max(g, reduceMax(g, x), neg(g, reduceMin(g, x)))
  const magnitude = max(g, largest, g.float32s([leastMagnitude]))
  const unit = g.float32s([1], [])
  const zero = g.uint8s([zeroPoint], [])
  const levels = mul(g, x, div(g, g.float32s([maxLevel]), magnitude))
  const quantized = { values: quantizeLinear(g, levels, unit, zero), scale: unit, zeroPoint: zero }
  const product = matMulIntegerToFloat(g, quantized, rowQuantizedWeight(g, weight))
  return mul(g, product, mul(g, magnitude, g.float32s([1 / maxLevel])))
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
