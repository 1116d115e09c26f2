import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomValues } from '../../test/write-checkpoint.ts'
import { GraphBuilder } from './graph-builder.ts'
import { linear, type WeightForm } from './layers.ts'
import { encodeModel } from './onnx-proto.ts'
import { constantSource } from './weight-source.ts'
import { writeWeights } from './write-graph.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'layers-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function runLinear(form: WeightForm, rows: number, k: number, n: number) {
  const [x, w, b] = [randomValues(rows * k, 1), randomValues(n * k, 2), randomValues(n, 3)]
  const g = new GraphBuilder('test')
  const weight = constantSource([n, k], w)
  const y = linear(
    g,
    'dense',
    g.input('x', 'float32', ['rows', k]),
    weight,
    form,
    constantSource([n], b),
  )
  g.output('y', y, 'float32', ['rows', n])
  const graph = g.build()
  const name = `${form.kind}-${rows}-${k}-${n}`
  await writeWeights(graph, path.join(folder, `${name}.weights`))
  const file = path.join(folder, `${name}.onnx`)
  await writeFile(file, encodeModel(graph.spec, `${name}.weights`))
  const session = await InferenceSession.create(file)
  const { y: output } = await session.run({ x: new Tensor('float32', x, [rows, k]) })
  await session.release()
  return { actual: output!.data as Float32Array, expected: product(x, w, b, k) }
}

function product(x: Float32Array, w: Float32Array, b: Float32Array, k: number): Float32Array {
  const n = b.length
  return Float32Array.from({ length: (x.length / k) * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n]
    let sum = b[column]!
    for (let j = 0; j < k; j++) sum += x[row * k + j]! * w[column * k + j]!
    return sum
  })
}

function relativeError(actual: Float32Array, expected: Float32Array): number {
  const square = (values: Iterable<number>) => [...values].reduce((sum, v) => sum + v * v, 0)
  return Math.sqrt(square(actual.map((v, i) => v - expected[i]!)) / square(expected))
}

describe('linear() in ONNX Runtime', () => {
  it.each([1, 5])('float32: %i rows agree with the plain product', async (rows) => {
    const { actual, expected } = await runLinear({ kind: 'f32' }, rows, 50, 13)
    expect(relativeError(actual, expected)).toBeLessThan(1e-6)
  })

  it.each([
    [1, 64, 32],
    [9, 64, 32],
    [3, 72, 32],
    [2, 588, 64],
    [4, 20, 32],
  ])(
    '8 bits: %i rows of %i in blocks of %i agree within the rounding',
    async (rows, k, blockSize) => {
      const { actual, expected } = await runLinear({ kind: 'q8', blockSize }, rows, k, 24)
      expect(relativeError(actual, expected)).toBeLessThan(0.015)
    },
  )

  it('accepts no rows at all, which an expert nobody chose gets', async () => {
    expect((await runLinear({ kind: 'f32' }, 0, 32, 8)).actual.length).toBe(0)
    expect((await runLinear({ kind: 'q8', blockSize: 32 }, 0, 32, 8)).actual.length).toBe(0)
  })
})

describe('GraphBuilder', () => {
  it('names nodes and weights by their scopes, each once', () => {
    const g = new GraphBuilder('test')
    const x = g.input('x', 'float32', [1, 4])
    g.scope('layers.0', () => {
      g.node('Sigmoid', [x])
      g.node('Sigmoid', [x])
      g.external('weight', 'float32', [4])
    })
    const { spec } = g.build()
    expect(spec.nodes.map(({ name }) => name)).toEqual(['/layers.0/Sigmoid', '/layers.0/Sigmoid_1'])
    expect(spec.initializers.map(({ name }) => name)).toEqual(['/layers.0/weight'])
    expect(() => g.input('x', 'float32', [1])).toThrow('already has a value named x')
  })

  it('aligns external weights to pages', () => {
    const g = new GraphBuilder('test')
    g.external('a', 'uint8', [10])
    g.external('b', 'float32', [2])
    const { spec, weightBytes } = g.build()
    expect(spec.initializers).toMatchObject([
      { offset: 0, byteLength: 10 },
      { offset: 4096, byteLength: 8 },
    ])
    expect(weightBytes).toBe(4104)
  })
})

describe('writeWeights()', () => {
  it('refuses a fill that leaves bytes unwritten or writes past its tensor', async () => {
    const target = path.join(folder, 'bad.weights')
    const short = new GraphBuilder('short')
    const weight = short.external('w', 'uint8', [4])
    short.fill('w', (write) => write(weight, 0, new Uint8Array(3)))
    await expect(writeWeights(short.build(), target)).rejects.toThrow('/w: 3 of 4 bytes')
    const long = new GraphBuilder('long')
    const other = long.external('w', 'uint8', [4])
    long.fill('w', (write) => write(other, 2, new Uint8Array(3)))
    await expect(writeWeights(long.build(), target)).rejects.toThrow('do not belong to /w')
  })
})
