import { buildGraphs } from './convert/graphs/build-graphs.ts'
import { openModelSource } from './convert/source/model-source.ts'
import type { FormChoice } from './convert/graphs/weight-forms.ts'
import { externalsOf } from '../graph/device-graph.ts'
import type { BuiltGraph } from '../graph/graph-builder.ts'
import { elementTypes } from '../graph/onnx-proto.ts'

/** Memory that the model takes on a device. */
export interface DeviceNeeds {
  readonly weightBytes: number
  readonly cacheBytesPerToken: number
  /** The most tokens one sequence may hold. */
  readonly contextTokens: number
}

/** From the checkpoint's shapes alone; no weight is read. @throws {CheckpointError} when the checkpoint is not usable */
export async function deviceNeeds(checkpointDir: string, choice: FormChoice): Promise<DeviceNeeds> {
  const source = await openModelSource(checkpointDir)
  try {
    const text = source.config.text_config
    const cacheType = choice.weights === 'f32' ? 'float32' : 'float16'
    const form = { ...choice, layout: 'device', cacheType } as const
    const graphs = Object.values(
      buildGraphs(source.config, source.checkpoint, { ...form, slots: 1 }),
    )
    const weights = graphs.flatMap(({ spec }: BuiltGraph) => externalsOf(spec))
    const width = text.kv_lora_rank + text.qk_rope_head_dim
    return {
      weightBytes: weights.reduce((sum, { byteLength }) => sum + byteLength, 0),
      cacheBytesPerToken: text.num_hidden_layers * width * elementTypes[cacheType].bytes,
      contextTokens: text.max_position_embeddings,
    }
  } finally {
    await source.checkpoint.close()
  }
}
