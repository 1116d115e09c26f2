import { GraphBuilder } from '../../graph/graph-builder.ts'
import { cast } from '../../graph/operators/arithmetic.ts'
import { matMulNBits } from '../../graph/operators/matrix-products.ts'
import { scatterRows } from '../../graph/operators/selection.ts'
import { zeroPoint } from '../../graph/quantize.ts'
import { deviceForm } from '../../graph/device-graph.ts'
import { tensorOf } from './tensor-bytes.ts'
import type { Accelerator, Tensors } from './accelerator.ts'
import { openWebGpuAccelerator } from './webgpu-accelerator.ts'
import { errorText } from '../../../shared/log/error-text.ts'

/** Sizes of the trial: [rows, inner] times [inner, columns]. */
const size = { rows: 2, inner: 64, columns: 32 }

/**
 * Opens the graphics card and runs the decoder's main operations on it once: a product with 8-bit weights, whose rows
 * are written into memory that stays on the card, as float16, which older cards lack.
 * @returns why the card cannot be used, for the operator; undefined when it can
 */
export async function probeCard(): Promise<string | undefined> {
  let accelerator: Accelerator | undefined
  try {
    accelerator = openWebGpuAccelerator()
    const computed = await runTrial(accelerator)
    const isRight = computed.every((value, i) => value === expected(i))
    return isRight ? undefined : 'it computes wrong numbers'
  } catch (error) {
    return firstLine(error)
  } finally {
    await accelerator?.close()
  }
}

/** Row r of the memory is a sum over inner of x[r] w: x is r + 1, and column c's weights are c levels. */
function expected(index: number): number {
  const [row, column] = [Math.floor(index / size.columns), index % size.columns]
  return row < 1 ? 0 : row * size.inner * column
}

/** @returns [rows + 1, columns]: a row of zeros, then the product's */
async function runTrial(accelerator: Accelerator): Promise<Float32Array> {
  const { rows, inner, columns } = size
  const session = await accelerator.open(trialGraph())
  const memory = await accelerator.zeros('float16', [rows + 1, columns])
  const levels = Uint8Array.from({ length: columns * inner }, (_, i) => {
    return zeroPoint + Math.floor(i / inner)
  })
  const x = Float32Array.from({ length: rows * inner }, (_, i) => 1 + Math.floor(i / inner))
  const feeds: Tensors = {
    x: tensorOf('float32', [rows, inner], new Uint8Array(x.buffer)),
    weight: await accelerator.upload('uint8', [columns, inner / 32, 32], levels),
    scales: await accelerator.upload(
      'float32',
      [columns, inner / 32],
      ones(columns * (inner / 32)),
    ),
    places: tensorOf('int64', [rows, 1], new Uint8Array(BigInt64Array.of(1n, 2n).buffer)),
    memory,
  }
  await accelerator.run(session, feeds, { written: memory })
  const outputs = await accelerator.run(session, feeds, { written: memory })
  return outputs['read']!.data as Float32Array
}

function ones(count: number): Uint8Array {
  return new Uint8Array(new Float32Array(count).fill(1).buffer)
}

function trialGraph() {
  const { rows, inner, columns } = size
  const g = new GraphBuilder('trial')
  const x = g.input('x', 'float32', [rows, inner])
  const values = g.input('weight', 'uint8', [columns, inner / 32, 32])
  const scales = g.input('scales', 'float32', [columns, inner / 32])
  const places = g.input('places', 'int64', [rows, 1])
  const memory = g.input('memory', 'float16', [rows + 1, columns])
  const shape = { n: columns, k: inner, blockSize: 32, activations: 'float32' } as const
  const product = matMulNBits(g, x, { values, scales }, shape)
  const written = scatterRows(g, memory, places, cast(g, product, 'float16'))
  g.output('written', written, 'float16', [rows + 1, columns])
  // Read through an operator: what is in the card's memory, not what the run returned.
  g.output('read', cast(g, written, 'float32'), 'float32', [rows + 1, columns])
  return deviceForm(g.build().spec)
}

function firstLine(error: unknown): string {
  const text = errorText(error)
  const adapter = /Failed to get a WebGPU adapter: (.*)/.exec(text)
  if (adapter !== null) return `no driver offers one (${adapter[1]!})`
  return text.split('\n')[0]!
}
