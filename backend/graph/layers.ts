import type { GraphBuilder, Value } from './graph-builder.ts'
import { add, mul, silu } from './operators/arithmetic.ts'
import { gemm, matMul, matMulNBits } from './operators/matrix-products.ts'
import { layerNormalization, simplifiedLayerNormalization } from './operators/normalization.ts'
import { split } from './operators/shapes.ts'
import { blocksPerRow, quantizeInChunks } from './quantize.ts'
import { headProduct, quantizeActivations, rowProduct } from './row-product.ts'
import {
  bytesOf,
  readFinite,
  reshaped,
  rowCount,
  rowSize,
  stackRows,
  transposed,
  type WeightSource,
} from './weight-source.ts'

/** How linear layers store their weights, and which operators multiply by them. */
export type WeightForm =
  | { readonly kind: 'f32' }
  /** 8 bits, with one scale per block along the input. Activations are rounded alike, or not at all. */
  | {
      readonly kind: 'q8-blocks'
      readonly blockSize: number
      readonly activations: 'int8' | 'float32'
    }
  /** 8 bits, with one scale per output and one per activation row: coarser, and faster for many rows. */
  | { readonly kind: 'q8-rows' }

export type BlockForm = Extract<WeightForm, { kind: 'q8-blocks' }>

/** Products of the same x with several weights; what they share is computed once. */
export function linears(
  g: GraphBuilder,
  x: Value,
  form: WeightForm,
): (name: string, weight: WeightSource) => Value {
  if (form.kind !== 'q8-rows') return (name, weight) => linear(g, name, x, weight, form)
  const rows = quantizeActivations(g, x)
  return (name, weight) => g.scope(name, () => rowProduct(g, rows, weight))
}

/**
 * x w^T for x [heads, rows, in], with a separate weight for each head. The 8-bit form always has one scale per row,
 * because only that form has one operator for all heads.
 * @param weights [out, in], one per head
 */
export function headLinear(
  g: GraphBuilder,
  name: string,
  x: Value,
  weights: readonly WeightSource[],
  form: WeightForm,
): Value {
  return g.scope(name, () => {
    if (form.kind !== 'f32')
      return headProduct(g, quantizeActivations(g, x, weights.length), weights)
    const dims = [weights.length, rowSize(weights[0]!), rowCount(weights[0]!)]
    const stacked = stackRows(weights.map((weight) => transposed(weight)))
    return matMul(g, x, floatWeight(g, 'weight', reshaped(stacked, dims)))
  })
}

/** A float32 initializer holding `source`. */
export function floatWeight(g: GraphBuilder, name: string, source: WeightSource): Value {
  const value = g.external(name, 'float32', source.dims)
  g.fill(name, async (write) => {
    for await (const { start, values } of readFinite(source)) {
      await write(value, start * rowSize(source) * 4, bytesOf(values))
    }
  })
  return value
}

/**
 * x w^T + bias for x [rows, in].
 * @param weight [out, in], as checkpoints store it
 */
export function linear(
  g: GraphBuilder,
  name: string,
  x: Value,
  weight: WeightSource,
  form: WeightForm,
  bias?: WeightSource,
): Value {
  return g.scope(name, () => {
    const biasValue = bias === undefined ? undefined : floatWeight(g, 'bias', bias)
    switch (form.kind) {
      case 'f32':
        return gemm(g, x, floatWeight(g, 'weight', weight), { c: biasValue })
      case 'q8-blocks':
        return blockProduct(g, x, weight, form, biasValue)
      case 'q8-rows': {
        const product = rowProduct(g, quantizeActivations(g, x), weight)
        return biasValue === undefined ? product : add(g, product, biasValue)
      }
    }
  })
}

function blockProduct(
  g: GraphBuilder,
  x: Value,
  weight: WeightSource,
  { blockSize, activations }: BlockForm,
  bias: Value | undefined,
): Value {
  const { values, scales } = quantizedWeight(g, weight, blockSize)
  const shape = { n: rowCount(weight), k: rowSize(weight), blockSize, activations }
  return matMulNBits(g, x, { values, scales }, shape, bias)
}

/**
 * A weight in 8 bits: uint8 [rows, blocks, blockSize] and scales [rows, blocks].
 * @param viewedAs gives the same bytes other dimensions, from the number of values or scales in a row
 */
export function quantizedWeight(
  g: GraphBuilder,
  weight: WeightSource,
  blockSize: number,
  viewedAs?: (width: number) => readonly number[],
): { readonly values: Value; readonly scales: Value } {
  const rows = rowCount(weight)
  const blocks = blocksPerRow(rowSize(weight), blockSize)
  const valueDims = viewedAs?.(blocks * blockSize) ?? [rows, blocks, blockSize]
  const values = g.external('weight', 'uint8', valueDims)
  const scales = g.external('scales', 'float32', viewedAs?.(blocks) ?? [rows, blocks])
  g.fill('weight', async (write) => {
    for await (const chunk of quantizeInChunks(weight, blockSize)) {
      await write(values, chunk.start * blocks * blockSize, chunk.values)
      await write(scales, chunk.start * blocks * 4, bytesOf(chunk.scales))
    }
  })
  return { values, scales }
}

export function layerNorm(
  g: GraphBuilder,
  name: string,
  x: Value,
  parameters: { weight: WeightSource; bias: WeightSource },
  epsilon: number,
): Value {
  return g.scope(name, () => {
    const scale = floatWeight(g, 'weight', parameters.weight)
    const bias = floatWeight(g, 'bias', parameters.bias)
    return layerNormalization(g, x, scale, bias, epsilon)
  })
}

export function rmsNorm(
  g: GraphBuilder,
  name: string,
  x: Value,
  weight: WeightSource,
  epsilon: number,
): Value {
  return g.scope(name, () =>
    simplifiedLayerNormalization(g, x, floatWeight(g, 'weight', weight), epsilon),
  )
}

/** down(silu(gate) * up), where one product of the stacked weights computes gate and up. */
export function swiGlu(g: GraphBuilder, gateUp: Value, width: number): Value {
  const [gate, up] = split(g, gateUp, [width, width], -1) as [Value, Value]
  return mul(g, silu(g, gate), up)
}
