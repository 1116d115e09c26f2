import type { Checkpoint } from '../../../../checkpoint/checkpoint.ts'
import type { GraphBuilder, Value } from '../../../../graph/graph-builder.ts'
import { linear, rmsNorm, type WeightForm } from '../../../../graph/layers.ts'
import { cast } from '../../../../graph/operators/arithmetic.ts'
import { attendToPast, rotaryEmbedding } from '../../../../graph/operators/attention.ts'
import { gather, scatterRows } from '../../../../graph/operators/selection.ts'
import {
  concat,
  leading,
  reshape,
  reshapeTo,
  split,
  unsqueeze,
} from '../../../../graph/operators/shapes.ts'
import type { TextConfig } from '../../../config/model-config.ts'
import { latentNormEpsilon } from '../../attention/latent-attention.ts'
import { ropeTable, type Rope } from '../../attention/rope.ts'
import { deviceNames } from '../device-names.ts'
import { foldedOutput, foldedQueryKey } from './folded-weights.ts'

/** Type of the cache's rows. `float16` halves the cache, and the products of scores are in half precision then. */
export type CacheType = 'float16' | 'float32'

/** The inputs that say which tokens a run has and where in the cache theirs and earlier rows are. */
export interface PagedTokens {
  readonly positions: Value
  readonly table: Value
  readonly writeRows: Value
  readonly lastPositions: Value
  readonly longest: Value
  readonly shape: Value
  readonly rope: Rope['table']
}

/** See `deviceNames` for shapes. */
export function pagedTokens(g: GraphBuilder, config: TextConfig): PagedTokens {
  return {
    positions: g.input(deviceNames.positions, 'int64', ['batch', 'tokens']),
    table: g.input(deviceNames.table, 'int64', ['batch', 'longest']),
    writeRows: g.input(deviceNames.writeRows, 'int64', ['rows', 1]),
    lastPositions: g.input(deviceNames.lastPositions, 'int32', ['batch']),
    longest: g.input(deviceNames.longest, 'int32', [1]),
    shape: g.input(deviceNames.shape, 'int64', [3]),
    rope: g.scope('rope', () => ropeTable(g, config)),
  }
}

interface PagedInputs {
  /** [N, hidden], normed */
  readonly x: Value
  readonly tokens: PagedTokens
  readonly form: WeightForm
  readonly cacheType: CacheType
}

/**
 * Latent attention over a cache of rows [rope | latent] that is updated in place: the new tokens' rows are written, and
 * each sequence's rows are then gathered by its table. One row is the key of all heads and its latent part the value. All
 * rows are written before any is read, so consecutive tokens of one sequence may be rows of their own.
 */
export function pagedAttention(
  g: GraphBuilder,
  config: TextConfig,
  checkpoint: Checkpoint,
  layer: number,
  { x, tokens, form, cacheType }: PagedInputs,
): Value {
  const { num_attention_heads: heads, kv_lora_rank: latent } = config
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope } = config
  const width = rope + latent
  const projected = linear(g, 'q_kv', x, foldedQueryKey(config, checkpoint, layer), form)
  const byToken = reshapeTo(g, projected, tokens.shape)
  const turned = rotaryEmbedding(g, byToken, tokens.positions, tokens.rope, heads + 1, rope)
  const parts = split(g, turned, [heads * width, rope, latent], -1)
  const [q, key, rawLatent] = parts as [Value, Value, Value]
  const written = writtenCache(g, config, checkpoint, layer, { key, rawLatent, tokens, cacheType })
  const query = typed(g, q, cacheType)
  const attended = attendToPast(g, query, {
    none: leading(
      g,
      query,
      new Map([
        [1, 0],
        [2, width],
      ]),
    ),
    past: unsqueeze(g, gather(g, written, tokens.table, 0), 1),
    lastPositions: tokens.lastPositions,
    longest: tokens.longest,
    heads,
    scale: (nope + rope) ** -0.5,
  })
  const context = cacheType === 'float32' ? attended : cast(g, attended, 'float32')
  const merged = reshape(g, context, [-1, heads * width])
  return linear(g, 'o', merged, foldedOutput(config, checkpoint, layer), form)
}

interface NewRows extends Pick<PagedInputs, 'tokens' | 'cacheType'> {
  /** [B, S, rope]: rotated */
  readonly key: Value
  /** [B, S, latent] */
  readonly rawLatent: Value
}

/** Normalises the latent parts of the new tokens. @returns the layer's cache with their rows, which is an output, too */
function writtenCache(
  g: GraphBuilder,
  { kv_lora_rank: latent, qk_rope_head_dim: rope }: TextConfig,
  checkpoint: Checkpoint,
  layer: number,
  { key, rawLatent, tokens, cacheType }: NewRows,
): Value {
  const norm = checkpoint.tensor(
    `language_model.model.layers.${layer}.self_attn.kv_a_layernorm.weight`,
  )
  const c = rmsNorm(g, 'kv_a_layernorm', rawLatent, norm, latentNormEpsilon)
  const newRows = typed(g, reshape(g, concat(g, [key, c], -1), [-1, rope + latent]), cacheType)
  const dims = ['cache rows', rope + latent]
  const cache = g.input(deviceNames.cache(layer), cacheType, dims)
  const written = scatterRows(g, cache, tokens.writeRows, newRows)
  g.output(deviceNames.nextCache(layer), written, cacheType, dims)
  return written
}

/** float32 numbers in the type of the cache. */
function typed(g: GraphBuilder, value: Value, cacheType: CacheType): Value {
  return cacheType === 'float32' ? value : cast(g, value, cacheType)
}
