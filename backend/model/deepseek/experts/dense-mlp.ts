import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import type { GraphBuilder, Value } from '../../../graph/graph-builder.ts'
import { linear, swiGlu, type WeightForm } from '../../../graph/layers.ts'
import { stackRows } from '../../../graph/weight-source.ts'
import type { TextConfig } from '../../config/model-config.ts'

/** The feed-forward layer without experts: down(silu(gate(x)) * up(x)). */
export function denseMlp(
  g: GraphBuilder,
  config: TextConfig,
  checkpoint: Checkpoint,
  prefix: string,
  x: Value,
  form: WeightForm,
): Value {
  return swiGluMlp(g, checkpoint, prefix, { x, width: config.intermediate_size, form })
}

/** A SwiGLU of inner size `width` from the three matrices below `prefix`; gate and up are computed as one product. */
export function swiGluMlp(
  g: GraphBuilder,
  checkpoint: Checkpoint,
  prefix: string,
  { x, width, form }: { x: Value; width: number; form: WeightForm },
): Value {
  const weight = (name: string) => checkpoint.tensor(`${prefix}.${name}.weight`)
  const gateUp = linear(g, 'gate_up', x, stackRows([weight('gate_proj'), weight('up_proj')]), form)
  const inner = swiGlu(g, gateUp, width)
  g.note(`${prefix}.inner`, inner, width)
  return linear(g, 'down', inner, weight('down_proj'), form)
}
