import type { GraphBuilder, Value } from './graph-builder.ts'
import { div, max, mul, neg } from './operators/arithmetic.ts'
import { matMulIntegerToFloat, quantizeLinear } from './operators/matrix-products.ts'
import { reduceMax, reduceMin } from './operators/reductions.ts'
import { reshape } from './operators/shapes.ts'
import { maxLevel, quantizeInChunks, zeroPoint } from './quantize.ts'
import { bytesOf, rowCount, rowSize, type WeightSource } from './weight-source.ts'

/** Smaller than any activation that matters; prevents a row of zeros from being divided by 0. */
const leastMagnitude = 1e-20

/** Activation rows in 8 bits, to be multiplied by any number of weights. */
export interface QuantizedActivations {
  /** uint8 [...heads, rows, in] */
  readonly values: Value
  /** [...heads, rows, 1]: the value of the highest level */
  readonly magnitudes: Value
}

/** Difference between two levels, as a fraction of a row's magnitude. */
const levelSize = 1 / maxLevel

/**
 * Quantises rows to 8 bits, with one scale per row determined at run time:
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
  // For zero rows ONNX Runtime 1.30 does not reduce: without this the shape would be that of x.
  const magnitudes = reshape(g, largest, heads === undefined ? [-1, 1] : [heads, -1, 1])
  const parts = div(g, x, magnitudes)
  const values = quantizeLinear(g, parts, g.float32s([levelSize], []), g.uint8s([zeroPoint], []))
  return { values, magnitudes }
}

/**
 * x w^T in 8 bits, with one scale per row of x and one per row of w: y = m t / 127 ((q - 128) w_q). The operator
 * takes a single scale for all of q, so the scales of the rows are multiplied in afterwards. Sums are of integers and
 * therefore exact: the result of a row does not depend on the rows around it.
 * @param weight [out, in], as checkpoints store it
 */
export function rowProduct(g: GraphBuilder, x: QuantizedActivations, weight: WeightSource): Value {
  return scaledProduct(g, x, rowQuantizedWeights(g, [weight], []))
}

/**
 * The same for x [heads, rows, in], with a separate weight for each head, in one operator.
 * @param weights [out, in], one per head
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
 * int8 [...heads, in, out], as the operator reads it, and scales [...heads, 1, out]. Only one matrix at a time is
 * held in memory, for transposing.
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
      for await (const { start, ...chunk } of quantizeInChunks(weight, width)) {
        await write(scales, (head * rows + start) * 4, bytesOf(chunk.scales))
        turnRows(chunk.values, turned, { width, rows, start })
      }
      await write(values, head * turned.length, new Uint8Array(turned.buffer))
    }
  })
  return { values, scales }
}

/** Writes rows from `start` on as columns of `turned` [width, rows], signed. */
function turnRows(
  values: Uint8Array,
  turned: Int8Array,
  { width, rows, start }: { readonly width: number; readonly rows: number; readonly start: number },
): void {
  const count = values.length / width
  for (let column = 0; column < width; column++) {
    const at = column * rows + start
    for (let row = 0; row < count; row++) {
      turned[at + row] = values[row * width + column]! - zeroPoint
    }
  }
}
