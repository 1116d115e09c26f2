/**
 * `node scripts/gpu/graph-capture.ts`: how this version of onnxruntime-node responds to WebGPU's graph capture option,
 * in each of the places where it could be set. The smallest program that shows what is missing upstream.
 */
import { InferenceSession } from 'onnxruntime-node'
import { captureProblem } from '../../backend/model/accelerator/can-capture.ts'
import { GraphBuilder } from '../../backend/graph/graph-builder.ts'
import { encodeModel } from '../../backend/graph/onnx-proto.ts'
import { copied } from '../../backend/graph/operators/arithmetic.ts'
import { forbidTelemetry } from '../../backend/model/no-telemetry.ts'

forbidTelemetry()

/** The provider's own name for the option, as used in its session settings. */
const settingName = 'ep.webgpuexecutionprovider.enableGraphCapture'

/** y = x + 0 on the device. */
function smallestGraph(): Uint8Array {
  const g = new GraphBuilder('smallest')
  g.output('y', copied(g, g.input('x', 'float32', [4])), 'float32', [4])
  return encodeModel(g.build().spec, '')
}

async function attempt(place: string, options: object): Promise<void> {
  try {
    const session = await InferenceSession.create(smallestGraph(), options)
    await session.release()
    console.log(`${place}: accepted`)
  } catch (error) {
    console.log(`${place}: ${(error as Error).message.split('\n')[0]!}`)
  }
}

await attempt('no option', { executionProviders: ['webgpu'] })
await attempt('option of the provider', {
  executionProviders: [{ name: 'webgpu', enableGraphCapture: true }],
})
await attempt('option of the session', {
  executionProviders: ['webgpu'],
  enableGraphCapture: true,
})
await attempt(`extra setting ${settingName}`, {
  executionProviders: ['webgpu'],
  extra: { [settingName]: '1' },
})
// The provider rejects a value like this if it reads the option at all.
await attempt('extra setting with a value that there is not', {
  executionProviders: ['webgpu'],
  extra: { [settingName]: 'nonsense' },
})
const problem = await captureProblem()
console.log(`recording and repeating a run: ${problem ?? 'works'}`)
