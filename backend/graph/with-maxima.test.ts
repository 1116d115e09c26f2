import { InferenceSession, Tensor } from 'onnxruntime-node'
import { expect, it } from 'vitest'
import { GraphBuilder } from './graph-builder.ts'
import { encodeModel } from './onnx-proto.ts'
import { add } from './operators/arithmetic.ts'
import { withMaxima } from './with-maxima.ts'

const width = 4

/** Maxima of x + x over all rows, as they are and as those of a norm. */
async function maximaOf(x: readonly number[]): Promise<Record<'plain' | 'normed', number[]>> {
  const g = new GraphBuilder('doubled')
  const input = g.input('x', 'float32', ['rows', width])
  const doubled = add(g, input, input)
  g.note('plain', doubled, width)
  g.noteNormed('normed', doubled, width)
  g.output('y', doubled, 'float32', ['rows', width])
  const session = await InferenceSession.create(encodeModel(withMaxima(g.build()).spec, ''))
  const rows = new Tensor('float32', x, [x.length / width, width])
  const { plain, normed } = await session.run({ x: rows })
  await session.release()
  const numbers = (tensor: Tensor) => [...(tensor.data as Float32Array)]
  return { plain: numbers(plain!), normed: numbers(normed!) }
}

it('shows the largest magnitudes of columns, and of those of a norm relative to their rows’ medians', async () => {
  const { plain, normed } = await maximaOf([1, -2, 0.5, 2, -0.001, 0.002, 4, 0.001])
  expect(plain).toEqual([2, 4, 8, 4])
  expect(normed.map((value) => Math.round(value * 10) / 10)).toEqual([0.5, 1, 2000, 1])
})

it('shows no magnitudes where there are none', async () => {
  expect((await maximaOf([0, 0, 0, 0])).normed).toEqual([0, 0, 0, 0])
})

it.each(['note', 'noteNormed'] as const)(
  'has only initializers that a node reads, after %s',
  (note) => {
    const g = new GraphBuilder('noted')
    const input = g.input('x', 'float32', ['rows', width])
    g[note]('seen', input, width)
    const { initializers, nodes } = withMaxima(g.build()).spec
    const read = new Set(nodes.flatMap(({ inputs }) => inputs))
    expect(initializers.filter(({ name }) => !read.has(name))).toEqual([])
  },
)
