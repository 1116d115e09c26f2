import { deviceForm } from '../../graph/device-graph.ts'
import { GraphBuilder } from '../../graph/graph-builder.ts'
import type { GraphSpec } from '../../graph/onnx-proto.ts'
import { neg } from '../../graph/operators/arithmetic.ts'
import { tensorOf } from './tensor-bytes.ts'
import { openWebGpuAccelerator } from './webgpu-accelerator.ts'

/** Runs of the trial: one that allocates, one that is recorded, and some that are repeated. */
const runs = 5

/**
 * Tests whether this version of onnxruntime-node records a run and repeats it with the current content of its memory.
 * @returns why it cannot be used, for the operator; undefined when it can
 */
export async function captureProblem(): Promise<string | undefined> {
  const card = openWebGpuAccelerator({ repeats: 'captured' })
  try {
    const repeating = card.repeating!
    const session = await repeating.open(deviceForm(negation()))
    const x = await card.zeros('float32', [4])
    const y = await card.zeros('float32', [4])
    for (let run = 1; run <= runs; run++) {
      const values = new Float32Array(4).fill(run)
      await repeating.copyInto(
        { x },
        { x: tensorOf('float32', [4], new Uint8Array(values.buffer)) },
      )
      await card.run(session, { x }, { y })
      const read = (await repeating.read({ y }))['y']!.data as Float32Array
      if (read.some((value) => value !== -run)) return 'a repeated run gave the result of another'
    }
    return undefined
  } catch (error) {
    return (error as Error).message.split('\n')[0]!
  } finally {
    await card.close()
  }
}

/** y = -x */
function negation(): GraphSpec {
  const g = new GraphBuilder('negation')
  g.output('y', neg(g, g.input('x', 'float32', [4])), 'float32', [4])
  return g.build().spec
}
