import { describe, expect, it, onTestFinished } from 'vitest'
import { randomValues } from '../../../test/support/model/write-checkpoint.ts'
import { GraphBuilder, type BuiltGraph } from '../../graph/graph-builder.ts'
import { linear } from '../../graph/layers.ts'
import { constantSource } from '../../graph/weight-source.ts'
import type { OpenGraph } from '../sessions.ts'
import { floatsOf, floatTensor } from './row-states.ts'
import { SharedSession } from './shared-session.ts'
import { withSession, type SessionOptions } from './with-session.ts'

const [rows, width] = [3, 40]
const x = randomValues(rows * width, 1)

/** x w^T, with a note of it under the graph's own name. */
function product(name: string, outputs: number, seed: number): BuiltGraph {
  const g = new GraphBuilder(name)
  const input = g.input('x', 'float32', ['rows', width])
  const weight = constantSource([outputs, width], randomValues(outputs * width, seed))
  const y = linear(g, 'product', input, weight, { kind: 'f32' })
  g.note(`${name}.noted`, y, outputs)
  g.output('y', y, 'float32', ['rows', outputs])
  return g.build()
}

const graphs = [
  product('first', 8, 2),
  product('second', 8, 3),
  product('larger', 50, 4),
  product('third', 8, 5),
]

async function multiply(session: OpenGraph): Promise<number[]> {
  const outputs = await session.run({ x: floatTensor(x, [rows, width]) })
  return [...floatsOf(outputs, 'y')]
}

function noting() {
  const seen: [string, number[]][] = []
  const { signal } = new AbortController()
  const onMaxima = (name: string, maxima: Float32Array) => void seen.push([name, [...maxima]])
  const options: SessionOptions = { threads: 1, signal, onMaxima }
  return { seen, options }
}

function sharedSession(options: SessionOptions): SharedSession {
  const shared = new SharedSession(options)
  onTestFinished(() => shared.close())
  return shared
}

describe('SharedSession', () => {
  it('gives the results and the maxima that each graph has in a session of its own', async () => {
    const [own, together] = [noting(), noting()]
    const shared = sharedSession(together.options)
    for (const graph of graphs) {
      const expected = await withSession(graph, own.options, multiply)
      const found = await shared.run(graph, multiply)
      expect(found).toHaveLength(expected.length)
      found.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5))
    }
    expect(together.seen.map(([name]) => name)).toEqual(own.seen.map(([name]) => name))
    for (const [i, [, maxima]] of together.seen.entries()) {
      maxima.forEach((value, c) => expect(value).toBeCloseTo(own.seen[i]![1][c]!, 5))
    }
  })

  it('goes on with new memory after it was closed', async () => {
    const shared = sharedSession(noting().options)
    const before = await shared.run(graphs[0]!, multiply)
    await shared.close()
    expect(await shared.run(graphs[0]!, multiply)).toEqual(before)
  })

  it('says which weight cannot be read, and takes the next graph', async () => {
    const shared = sharedSession(noting().options)
    const g = new GraphBuilder('damaged')
    const input = g.input('x', 'float32', ['rows', width])
    const weight = constantSource([8, width], new Float32Array(8 * width).fill(NaN))
    g.output('y', linear(g, 'product', input, weight, { kind: 'f32' }), 'float32', ['rows', 8])
    await expect(shared.run(g.build(), multiply)).rejects.toThrow(
      'Cannot read damaged/product/weight: A weight is not a finite number',
    )
    expect(await shared.run(graphs[0]!, multiply)).toHaveLength(rows * 8)
  })
})
