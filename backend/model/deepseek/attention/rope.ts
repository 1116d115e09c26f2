import type { GraphBuilder, Value } from '../../../graph/graph-builder.ts'
import { floatWeight } from '../../../graph/layers.ts'
import { concat, expand, shapeOf, split } from '../../../graph/operators/shapes.ts'
import { rowSize, type WeightSource } from '../../../graph/weight-source.ts'
import type { TextConfig } from '../../config/model-config.ts'
import { decoderNames } from '../decoder-names.ts'

/** Inputs of the rotary embedding, the same in every layer. */
export interface Rope {
  /** int64 [1, N] */
  readonly positions: Value
  /** int64 [heads, N]: the same for every head */
  readonly headPositions: Value
  /** [positions, ropeDim / 2] cosines and sines */
  readonly table: { readonly cos: Value; readonly sin: Value }
}

/** Rotary embedding of the text model: pair i of position p turns by p * theta^(-2i / ropeDim). */
export function ropeInputs(g: GraphBuilder, config: TextConfig): Rope {
  const positions = g.input(decoderNames.positions, 'int64', [1, 'tokens'])
  return g.scope('rope', () => {
    const [, count] = split(g, shapeOf(g, positions), [1, 1], 0)
    const perHead = concat(g, [g.int64s([config.num_attention_heads]), count!], 0)
    return { positions, headPositions: expand(g, positions, perHead), table: ropeTable(g, config) }
  })
}

/** Cosines and sines of all positions. */
export function ropeTable(g: GraphBuilder, config: TextConfig): Rope['table'] {
  return {
    cos: floatWeight(g, 'cos', tableSource(config, Math.cos)),
    sin: floatWeight(g, 'sin', tableSource(config, Math.sin)),
  }
}

/** Angles in double precision: float32 products are off by 0.003 rad at position 131,071. */
function tableSource(config: TextConfig, wave: (angle: number) => number): WeightSource {
  const dim = config.qk_rope_head_dim
  const frequencies = Float64Array.from(
    { length: dim / 2 },
    (_, i) => config.rope_theta ** ((-2 * i) / dim),
  )
  const source: WeightSource = {
    dims: [config.max_position_embeddings, dim / 2],
    readRows(start, count) {
      const width = rowSize(source)
      const values = new Float32Array(count * width)
      for (let row = 0; row < count; row++) {
        for (let i = 0; i < width; i++) {
          values[row * width + i] = wave((start + row) * frequencies[i]!)
        }
      }
      return Promise.resolve(values)
    },
  }
  return source
}
