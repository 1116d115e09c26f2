import type { GraphBuilder, Value } from '../graph-builder.ts'
import { contrib, float, int, single } from './node.ts'

/** Products of matrices, exact and rounded. */

export function matMul(g: GraphBuilder, a: Value, b: Value): Value {
  return single(g, 'MatMul', [a, b])
}

/** alpha * a b, or alpha * a b^T. */
export function fusedMatMul(
  g: GraphBuilder,
  a: Value,
  b: Value,
  { transB = false, alpha = 1 }: { transB?: boolean; alpha?: number },
): Value {
  const attributes = { transB: int(transB ? 1 : 0), alpha: float(alpha) }
  return single(g, 'FusedMatMul', [a, b], { domain: contrib, attributes })
}

/** alpha * x w^T + c, x [M, K], w [N, K], c broadcast to [M, N]. */
export function gemm(
  g: GraphBuilder,
  x: Value,
  w: Value,
  { c, alpha = 1 }: { readonly c?: Value | undefined; readonly alpha?: number } = {},
): Value {
  const inputs = c === undefined ? [x, w] : [x, w, c]
  return single(g, 'Gemm', inputs, { attributes: { transB: int(1), alpha: float(alpha) } })
}

interface MatMulNBitsShape {
  readonly n: number
  readonly k: number
  readonly blockSize: number
  /**
   * `int8`: rounded per block, the only form with a fast 8-bit kernel on the CPU. `float32`: not rounded, so outliers
   * among them cost nothing.
   */
  readonly activations: 'int8' | 'float32'
}

/** x w^T + bias with 8-bit w [N, blocks, blockSize] and scales [N, blocks]. */
export function matMulNBits(
  g: GraphBuilder,
  x: Value,
  weight: { values: Value; scales: Value },
  shape: MatMulNBitsShape,
  bias?: Value,
): Value {
  const inputs = [x, weight.values, weight.scales, undefined, undefined, bias]
  return single(g, 'MatMulNBits', bias === undefined ? inputs.slice(0, 3) : inputs, {
    domain: contrib,
    attributes: {
      K: int(shape.k),
      N: int(shape.n),
      bits: int(8),
      block_size: int(shape.blockSize),
      accuracy_level: int(shape.activations === 'int8' ? 4 : 0),
    },
  })
}

/** round(x / scale) + zeroPoint, clamped to 0..255. */
export function quantizeLinear(g: GraphBuilder, x: Value, scale: Value, zeroPoint: Value): Value {
  return single(g, 'QuantizeLinear', [x, scale, zeroPoint])
}

/** (a - zeroPoint) w, scaled by aScale and per column by wScale: a uint8 [M, K], w int8 [K, N]. */
export function matMulIntegerToFloat(
  g: GraphBuilder,
  a: { values: Value; scale: Value; zeroPoint: Value },
  w: { values: Value; scales: Value },
): Value {
  const inputs = [a.values, w.values, a.scale, w.scales, a.zeroPoint]
  return single(g, 'MatMulIntegerToFloat', inputs, { domain: contrib })
}
