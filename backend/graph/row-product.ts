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
  reshape,
} from './operators.ts'
import { maxLevel, quantizeBlocks, zeroPoint } from './quantize.ts'
import { bytesOf, readFinite, rowCount, rowSize, type WeightSource } from './weight-source.ts'

/** Below any activation that matters; a row of zeros must not be divided by 0. */
const leastMagnitude = 1e-20

/** Rows of activations in 8 bits, to be multiplied by any number of weights. */
export interface QuantizedActivations {
  /** uint8 [...heads, rows, in] */
  readonly values: Value
  /** [...heads, rows, 1]: what the highest level stands for */
  readonly magnitudes: Value
}

/** One step of a level, in parts of a row's magnitude. */
const levelSize = 1 / maxLevel

/**
 * Rows in 8 bits, with one scale for each, found while running:
 *
 *     m = max |x|,  q = round(127 x / m) + 128
 *
 * @param x [rows, in], or [heads, rows, in] with the number of heads
 */
export function quantizeActivations(
  g: GraphBuilder,
  x: Value,
  heads?: number,
): QuantizedActivations {
  const largest = max(g, [reduceMax(g, x), neg(g, reduceMin(g, x)), g.float32s([leastMagnitude])])
  // Of no rows, ONNX Runtime 1.30 reduces nothing: without this the shape would be that of x.
  const magnitudes = reshape(g, largest, heads === undefined ? [-1, 1] : [heads, -1, 1])
  const parts = div(g, x, magnitudes)
  const values = quantizeLinear(g, parts, g.float32s([levelSize], []), g.uint8s([zeroPoint], []))
  return { values, magnitudes }
}

/**
 * x w^T in 8 bits, with one scale for each row of x and one for each row of w: y = m t / 127 ((q - 128) w_q). The operator
 * takes a single scale for all of q, so the rows' own are multiplied in afterwards. Sums are of whole numbers, hence exact: a row
 * comes out the same in any company.
 * @param weight [out, in], as checkpoints store it
 */
export function rowProduct(g: GraphBuilder, x: QuantizedActivations, weight: WeightSource): Value {
  return scaledProduct(g, x, rowQuantizedWeights(g, [weight], []))
}

/**
 * The same for x [heads, rows, in], each head by a weight of its own, in one operator.
 * @param weights [out, in], one a head
 */
export function headProduct(
  g: GraphBuilder,
  x: QuantizedActivations,
  weights: readonly WeightSource[],
): Value {
  return scaledProduct(g, x, rowQuantizedWeights(g, weights, [weights.length]))
}

interface QuantizedWeights {
  readonly values: Value
  readonly scales: Value
}

function scaledProduct(g: GraphBuilder, x: QuantizedActivations, weights: QuantizedWeights): Value {
  const levels = { scale: g.float32s([levelSize], []), zeroPoint: g.uint8s([zeroPoint], []) }
  const product = matMulIntegerToFloat(g, { values: x.values, ...levels }, weights)
  return mul(g, product, x.magnitudes)
}

/**
 * int8 [...heads, in, out], as the operator reads it, and scales [...heads, 1, out]. The bytes of one matrix are held while
 * it is turned.
 */
function rowQuantizedWeights(
  g: GraphBuilder,
  weights: readonly WeightSource[],
  heads: readonly number[],
): QuantizedWeights {
  const [rows, width] = [rowCount(weights[0]!), rowSize(weights[0]!)]
  const values = g.external('weight', 'int8', [...heads, width, rows])
  const scales = g.external('scales', 'float32', heads.length === 0 ? [rows] : [...heads, 1, rows])
  g.fill('weight', async (write) => {
    for (const [head, weight] of weights.entries()) {
      const turned = new Int8Array(rows * width)
      for await (const chunk of readFinite(weight)) {
        const quantized = quantizeBlocks(chunk.values, width, width)
        await write(scales, (head * rows + chunk.start) * 4, bytesOf(quantized.scales))
        for (let i = 0; i < quantized.values.length; i++) {
          const row = chunk.start + Math.floor(i / width)
          turned[(i % width) * rows + row] = quantized.values[i]! - zeroPoint
        }
      }
      await write(values, head * turned.length, new Uint8Array(turned.buffer))
    }
  })
  return { values, scales }
}
