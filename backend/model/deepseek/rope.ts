import type { GraphBuilder, Value } from '../../graph/graph-builder.ts'
import { floatWeight } from '../../graph/layers.ts'
import { rowSize, type WeightSource } from '../../graph/weight-source.ts'
import type { TextConfig } from '../model-config.ts'

/** Rotary tables of the text model: [positions, ropeDim / 2] cosines and sines, angle = position * theta^(-2i / dim). */
export function ropeTable(g: GraphBuilder, config: TextConfig): { cos: Value; sin: Value } {
  return {
    cos: floatWeight(g, 'cos', ropeSource(config, Math.cos)),
    sin: floatWeight(g, 'sin', ropeSource(config, Math.sin)),
  }
}

/** Angles in double precision: float32 products err by 0.003 rad at position 131,071. */
function ropeSource(config: TextConfig, wave: (angle: number) => number): WeightSource {
  const dim = config.qk_rope_head_dim
  const source: WeightSource = {
    dims: [config.max_position_embeddings, dim / 2],
    readRows(start, count) {
      const width = rowSize(source)
      const values = new Float32Array(count * width)
      for (let row = 0; row < count; row++) {
        for (let i = 0; i < width; i++) {
          values[row * width + i] = wave((start + row) * config.rope_theta ** ((-2 * i) / dim))
        }
      }
      return Promise.resolve(values)
    },
  }
  return source
}
