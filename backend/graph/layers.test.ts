import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomValues } from '../../test/support/model/write-checkpoint.ts'
import { GraphBuilder } from './graph-builder.ts'
import { headLinear, linear, type WeightForm } from './layers.ts'
import { greater, mul } from './operators/arithmetic.ts'
import { ifElse } from './operators/if-else.ts'
import { reshape } from './operators/shapes.ts'
import { encodeModel } from './onnx-proto.ts'
import { constantSource } from '../../test/support/model/constant-source.ts'
import { writeWeights } from './weights-file.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'layers-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function runLinear(
  form: WeightForm,
  rows: number,
  k: number,
  n: number,
  x = randomValues(rows * k, 1),
) {
  const [w, b] = [randomValues(n * k, 2), randomValues(n, 3)]
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
  await writeWeights(graph, join(folder, `${name}.weights`))
  const file = join(folder, `${name}.onnx`)
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
      const { actual, expected } = await runLinear(
        { kind: 'q8-blocks', blockSize, activations: 'int8' },
        rows,
        k,
        24,
      )
      expect(relativeError(actual, expected)).toBeLessThan(0.015)
    },
  )

  it.each([
    [1, 64, 24],
    [9, 1152, 8],
    [5, 20, 13],
  ])('8 bits: %i rows of %i agree with a scale each within the rounding', async (rows, k, n) => {
    const { actual, expected } = await runLinear({ kind: 'q8-rows' }, rows, k, n)
    expect(relativeError(actual, expected)).toBeLessThan(0.015)
  })

  it('8 bits, a scale for each row: a row of zeros gives the bias, whatever stands beside it', async () => {
    const k = 32
    const x = randomValues(3 * k, 1).map((value, i) =>
      i < k ? 0 : i < 2 * k ? 1e6 * value : value,
    )
    const { actual, expected } = await runLinear({ kind: 'q8-rows' }, 3, k, 8, x)
    expect([...actual.subarray(0, 8)]).toEqual([...expected.subarray(0, 8)])
    for (const row of [1, 2]) {
      const [from, to] = [row * 8, row * 8 + 8]
      expect(relativeError(actual.slice(from, to), expected.slice(from, to))).toBeLessThan(0.015)
    }
  })

  it('accepts no rows at all, which an expert nobody chose gets', async () => {
    expect((await runLinear({ kind: 'f32' }, 0, 32, 8)).actual.length).toBe(0)
    expect(
      (await runLinear({ kind: 'q8-blocks', blockSize: 32, activations: 'int8' }, 0, 32, 8)).actual
        .length,
    ).toBe(0)
    expect((await runLinear({ kind: 'q8-rows' }, 0, 32, 8)).actual.length).toBe(0)
  })
})

describe('headLinear() in ONNX Runtime', () => {
  const [heads, k, n] = [3, 20, 7]
  const weights = Array.from({ length: heads }, (_, head) => randomValues(n * k, head + 10))

  /** @returns for x [heads, rows, k]: [heads, rows, n] */
  async function openHeads(form: WeightForm) {
    const g = new GraphBuilder('test')
    const x = g.input('x', 'float32', [heads, 'rows', k])
    const sources = weights.map((values) => constantSource([n, k], values))
    g.output('y', headLinear(g, 'heads', x, sources, form), 'float32', [heads, 'rows', n])
    const graph = g.build()
    const name = `heads-${form.kind}`
    await writeWeights(graph, join(folder, `${name}.weights`))
    const file = join(folder, `${name}.onnx`)
    await writeFile(file, encodeModel(graph.spec, `${name}.weights`))
    const session = await InferenceSession.create(file)
    const run = async (values: Float32Array, rows: number) =>
      (await session.run({ x: new Tensor('float32', values, [heads, rows, k]) }))['y']!
        .data as Float32Array
    return { run, close: () => session.release() }
  }

  it.each([
    [{ kind: 'f32' }, 1e-6],
    [{ kind: 'q8-blocks', blockSize: 32, activations: 'int8' }, 0.015],
    [{ kind: 'q8-rows' }, 0.015],
  ] as const)('multiplies each head by its own weight: $kind', async (form, tolerance) => {
    const { run, close } = await openHeads(form)
    const rows = 4
    const x = randomValues(heads * rows * k, 1)
    const expected = weights.flatMap((w, head) => [
      ...product(x.subarray(head * rows * k, (head + 1) * rows * k), w, new Float32Array(n), k),
    ])
    expect(relativeError(await run(x, rows), Float32Array.from(expected))).toBeLessThan(tolerance)
    expect((await run(new Float32Array(0), 0)).length).toBe(0)
    await close()
  })

  it('8 bits: a row comes out the same, alone and in company, to the last bit', async () => {
    const { run, close } = await openHeads({ kind: 'q8-rows' })
    const rows = 5
    const x = randomValues(heads * rows * k, 2)
    const together = await run(x, rows)
    const rowOf = (values: Float32Array, head: number, row: number, width: number) =>
      values.subarray((head * rows + row) * width, (head * rows + row + 1) * width)
    for (let row = 0; row < rows; row++) {
      const each = Array.from({ length: heads }, (_, head) => head)
      const alone = await run(Float32Array.from(each.flatMap((h) => [...rowOf(x, h, row, k)])), 1)
      expect([...alone]).toEqual(each.flatMap((head) => [...rowOf(together, head, row, n)]))
    }
    await close()
  })
})

describe('ifElse() in ONNX Runtime', () => {
  it('runs the branch that is taken, on values from outside, and not the other', async () => {
    const g = new GraphBuilder('test')
    const x = g.input('x', 'float32', ['n', 2])
    const wanted = g.input('wanted', 'int64', [1])
    const taken = greater(g, wanted, g.int64s([0]))
    const [y] = ifElse(g, taken, [{ type: 'float32', dims: ['n', 'width'] }], {
      ifTrue: () => [mul(g, x, g.float32s([3]))],
      ifFalse: () => [reshape(g, x, [-1, 1])],
    })
    g.output('y', y!, 'float32', ['n', 'width'])
    const session = await InferenceSession.create(encodeModel(g.build().spec, 'none'))
    const run = async (value: bigint) => {
      const feeds = {
        x: new Tensor('float32', [1, 2, 3, 4], [2, 2]),
        wanted: new Tensor('int64', [value], [1]),
      }
      return (await session.run(feeds))['y']!
    }
    expect((await run(1n)).dims).toEqual([2, 2])
    expect([...((await run(1n)).data as Float32Array)]).toEqual([3, 6, 9, 12])
    expect((await run(0n)).dims).toEqual([4, 1])
    await session.release()
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
    const target = join(folder, 'bad.weights')
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
