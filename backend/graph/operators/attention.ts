import type { GraphBuilder, Value } from '../graph-builder.ts'
import { contrib, float, int, single } from './node.ts'

/** Positions and attention. */

/**
 * Rotates adjacent pairs of x [batch, tokens, heads * dim] by cos/sin [positions, n / 2] at `positions`.
 * @param rotated how many leading numbers of each head are rotated: n; all unless given
 */
export function rotaryEmbedding(
  g: GraphBuilder,
  x: Value,
  positions: Value,
  table: { cos: Value; sin: Value },
  heads: number,
  rotated?: number,
): Value {
  const part = rotated === undefined ? {} : { rotary_embedding_dim: int(rotated) }
  return single(g, 'RotaryEmbedding', [x, positions, table.cos, table.sin], {
    domain: contrib,
    attributes: { interleaved: int(1), num_heads: int(heads), ...part },
  })
}

interface PastAttention {
  /** [batch, 0, width]: no new rows, since all are in the past already. */
  readonly none: Value
  /** [batch, 1, cached, width], the new tokens included; keys and values at once. */
  readonly past: Value
  /** int32 [batch]: tokens of each sequence, less one */
  readonly lastPositions: Value
  /** int32 [1]: tokens of the longest; read by the host */
  readonly longest: Value
  readonly heads: number
  readonly scale: number
}

/**
 * Causal attention of the last tokens q [batch, tokens, heads * width] over one head of keys and values that are all in the
 * cache. The batch must be 1 when there are several tokens.
 * @returns as q
 */
export function attendToPast(g: GraphBuilder, q: Value, inputs: PastAttention): Value {
  const { none, past, lastPositions, longest, heads, scale } = inputs
  // ONNX Runtime 1.30 crashes on the CPU when the operator's other two outputs are not declared.
  return g.node('GroupQueryAttention', [q, none, none, past, past, lastPositions, longest], {
    domain: contrib,
    outputs: 3,
    attributes: { num_heads: int(heads), kv_num_heads: int(1), scale: float(scale) },
  })[0]!
}

/** Full (bidirectional) attention; q, k, v [batch, tokens, heads * dim], scale 1 / sqrt(dim). */
export function multiHeadAttention(
  g: GraphBuilder,
  q: Value,
  k: Value,
  v: Value,
  heads: number,
): Value {
  return single(g, 'MultiHeadAttention', [q, k, v], {
    domain: contrib,
    attributes: { num_heads: int(heads) },
  })
}
