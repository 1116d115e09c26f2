import { InferenceSession, Tensor } from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { GraphBuilder } from '../../../graph/graph-builder.ts'
import { encodeModel } from '../../../graph/onnx-proto.ts'
import type { TextConfig } from '../../config/model-config.ts'
import { expertPairs, sortByExpert } from './expert-order.ts'

const config = { num_experts_per_tok: 2, n_routed_experts: 5 } as TextConfig

async function order(chosen: readonly (readonly [number, number])[]) {
  const g = new GraphBuilder('test')
  const pairs = expertPairs(g, config, g.input('counts', 'int64', [2]))
  const sorted = sortByExpert(g, config, pairs, g.input('indices', 'int64', ['tokens', 2]))
  g.output('perExpert', sorted.counts, 'int64', [5])
  g.output('tokens', sorted.tokens, 'int64', ['pairs'])
  g.output('places', sorted.places, 'int64', ['tokens', 2])
  const session = await InferenceSession.create(encodeModel(g.build().spec, 'none'))
  const int64 = (values: readonly number[], dims: readonly number[]) =>
    new Tensor('int64', BigInt64Array.from(values, BigInt), dims)
  const outputs = await session.run({
    counts: int64([1, chosen.length - 1], [2]),
    indices: int64(chosen.flat(), [chosen.length, 2]),
  })
  await session.release()
  const numbers = (name: string) => [...(outputs[name]!.data as BigInt64Array)].map(Number)
  return { perExpert: numbers('perExpert'), tokens: numbers('tokens'), places: numbers('places') }
}

describe('sortByExpert() in ONNX Runtime', () => {
  it('lists tokens expert by expert, and says where each pair is', async () => {
    const sorted = await order([
      [3, 1],
      [1, 0],
      [0, 3],
      [3, 1],
    ])
    expect(sorted).toEqual({
      perExpert: [2, 3, 0, 3, 0],
      tokens: [1, 2, 0, 1, 3, 0, 2, 3],
      places: [5, 2, 3, 0, 1, 6, 7, 4],
    })
  })

  it('keeps the tokens of one expert in order, however many they are', async () => {
    const { tokens } = await order(Array.from({ length: 300 }, () => [4, 2] as const))
    const each = Array.from({ length: 300 }, (_, token) => token)
    expect(tokens).toEqual([...each, ...each])
  })
})
