import type { Checkpoint } from '../../../../checkpoint/checkpoint.ts'
import { matrixProduct, sideBySide, sliceColumns, zeros } from '../../../../graph/weight-algebra.ts'
import {
  sliceRows,
  stackRows,
  transposed,
  type WeightSource,
} from '../../../../graph/weight-source.ts'
import type { TextConfig } from '../../../config/model-config.ts'

/**
 * Latent attention with kv_b multiplied into the projections around it, once, at conversion. Queries and keys are then in
 * latent space from the start, and each head, the key's included, is [rope | latent]:
 *
 *     head h of the queries:  q_rope,h | W_uk,h^T q_nope,h
 *     the key:                k_rope   | c_raw
 */
export function foldedQueryKey(
  config: TextConfig,
  checkpoint: Checkpoint,
  layer: number,
): WeightSource {
  const { num_attention_heads: heads, kv_lora_rank: latent, v_head_dim: value } = config
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope } = config
  const { q, kvA, kvB } = attentionWeights(checkpoint, layer)
  const queries = Array.from({ length: heads }, (_, head) => {
    const first = head * (nope + rope)
    const keyHalf = transposed(sliceRows(kvB, head * (nope + value), nope))
    const turned = matrixProduct(keyHalf, sliceRows(q, first, nope))
    return [sliceRows(q, first + nope, rope), turned]
  })
  return stackRows([...queries.flat(), sliceRows(kvA, latent, rope), sliceRows(kvA, 0, latent)])
}

/** W_o,h W_uv,h for each head, as columns [rope | latent]; those of rope are zero, since values have no such part. */
export function foldedOutput(
  config: TextConfig,
  checkpoint: Checkpoint,
  layer: number,
): WeightSource {
  const { num_attention_heads: heads, v_head_dim: value, hidden_size: hidden } = config
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope } = config
  const { o, kvB } = attentionWeights(checkpoint, layer)
  const byHead = Array.from({ length: heads }, (_, head) => {
    const valueHalf = sliceRows(kvB, head * (nope + value) + nope, value)
    return [zeros(hidden, rope), matrixProduct(sliceColumns(o, head * value, value), valueHalf)]
  })
  return sideBySide(byHead.flat())
}

function attentionWeights(checkpoint: Checkpoint, layer: number) {
  const weight = (name: string) =>
    checkpoint.tensor(`language_model.model.layers.${layer}.self_attn.${name}.weight`)
  return {
    q: weight('q_proj'),
    kvA: weight('kv_a_proj_with_mqa'),
    kvB: weight('kv_b_proj'),
    o: weight('o_proj'),
  }
}
