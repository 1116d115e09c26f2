import { externalsOf } from '../graph/device-graph.ts'
import { allExpertsGraph, deviceGraphs } from './convert/graphs/device-graphs.ts'
import type { ModelSource } from './convert/source/model-source.ts'
import type { FormChoice } from './convert/graphs/weight-forms.ts'
import { stepBytes } from './deepseek/device/step-bytes.ts'

/** What a token of a single stream asks of a device. */
export interface DeviceWork {
  /** Weights that it reads. */
  readonly bytesPerToken: number
  /** Kernels that it launches: about as many as there are nodes that compute something. */
  readonly launchesPerToken: number
  /** The largest tensor that the device has to keep. */
  readonly largestWeightBytes: number
}

/** Nodes that only look at the same memory in another way. */
const viewing: ReadonlySet<string> = new Set(['Identity', 'Reshape', 'Unsqueeze'])

/** From the checkpoint's shapes alone; no weight is read. @param from the first layer on the device */
export function deviceWork(
  { config, checkpoint }: Pick<ModelSource, 'config' | 'checkpoint'>,
  choice: FormChoice,
  from = 0,
): DeviceWork {
  const text = config.text_config
  const cacheType = choice.weights === 'f32' ? 'float32' : 'float16'
  const form = { ...choice, layout: 'device', cacheType } as const
  const whole = allExpertsGraph(text, checkpoint, form)
  const { allExperts, chosenExperts } = deviceGraphs(text, checkpoint, form, whole, from)
  const { nodes } = (chosenExperts ?? allExperts).spec
  return {
    bytesPerToken: stepBytes(allExperts.spec, text, chosenExperts === undefined ? 2 : 1),
    launchesPerToken: nodes.filter(({ opType }) => !viewing.has(opType)).length,
    largestWeightBytes: Math.max(
      ...externalsOf(allExperts.spec).map(({ byteLength }) => byteLength),
    ),
  }
}
