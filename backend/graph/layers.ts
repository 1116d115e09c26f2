import type { GraphBuilder, Value } from './graph-builder.ts'
import {
  gemm,
  layerNormalization,
  matMulNBits,
  mul,
  silu,
  simplifiedLayerNormalization,
  split,
} from './operators.ts'
import { blocksPerRow, quantizeRows } from './quantize.ts'
import { assertFinite, rowCount, rowSize, type WeightSource } from './weight-source.ts'

/** How linear layers keep their weights: plain float32, or 8 bits in blocks along the input. */
export type WeightForm =
  { readonly kind: 'f32' } | { readonly kind: 'q8'; readonly blockSize: number }

/** Float values per read while weights are written: bounds memory to about 64 MB whatever the matrix. */
const valuesPerRead = 4 * 1024 * 1024

/** A float32 initializer holding `source`. */
export function floatWeight(g: GraphBuilder, name: string, source: WeightSource): Value {
  const value = g.external(name, 'float32', source.dims)
  g.fill(name, async (write) => {
    for await (const { start, values } of readInChunks(source)) {
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
    if (form.kind === 'f32') return gemm(g, x, floatWeight(g, 'weight', weight), biasValue)
    const { values, scales } = quantizedWeight(g, weight, form.blockSize)
    const shape = { n: rowCount(weight), k: rowSize(weight), blockSize: form.blockSize }
    return matMulNBits(g, x, { values, scales }, shape, biasValue)
  })
}

function quantizedWeight(g: GraphBuilder, weight: WeightSource, blockSize: number) {
  const rows = rowCount(weight)
  const width = rowSize(weight)
  const blocks = blocksPerRow(width, blockSize)
  const values = g.external('weight', 'uint8', [rows, blocks, blockSize])
  const scales = g.external('scales', 'float32', [rows, blocks])
  g.fill('weight', async (write) => {
    for await (const chunk of readInChunks(weight)) {
      const quantized = quantizeRows(chunk.values, width, blockSize)
      await write(values, chunk.start * blocks * blockSize, quantized.values)
      await write(scales, chunk.start * blocks * 4, bytesOf(quantized.scales))
    }
  })
  return { values, scales }
}

async function* readInChunks(source: WeightSource) {
  const rows = rowCount(source)
  const step = Math.max(1, Math.floor(valuesPerRead / rowSize(source)))
  for (let start = 0; start < rows; start += step) {
    const values = await source.readRows(start, Math.min(step, rows - start))
    assertFinite(values)
    yield { start, values }
  }
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
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

/** down(silu(gate) * up), gate and up computed by one product of their stacked weights. */
export function swiGlu(g: GraphBuilder, gateUp: Value, width: number): Value {
  const [gate, up] = split(g, gateUp, [width, width], -1) as [Value, Value]
  return mul(g, silu(g, gate), up)
}
