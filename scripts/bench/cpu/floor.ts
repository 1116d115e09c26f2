import { blocksPerRow } from '../../../backend/graph/quantize.ts'
import type { TextConfig } from '../../../backend/model/config/model-config.ts'

/** Bytes of an 8-bit matrix [rows, width] with one float32 scale per block. */
function quantizedBytes(rows: number, width: number, blockSize: number): number {
  return rows * (width + 4 * blocksPerRow(width, blockSize))
}

/**
 * Bytes of weights that one decode step must read: all weights once, but only those experts that `sequences` tokens
 * choose between them (uniform, independent choice: experts * (1 - (1 - k / experts)^sequences)).
 */
export function decodeWeightBytes(
  config: TextConfig,
  blockSize: number,
  sequences: number,
): number {
  const q8 = (rows: number, width: number) => quantizedBytes(rows, width, blockSize)
  const { hidden_size: hidden, num_attention_heads: heads, kv_lora_rank: latent } = config
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope, v_head_dim: value } = config
  const attention =
    q8(heads * (nope + rope) + latent + rope, hidden) +
    heads * ((nope + value) * latent + 4 * (latent + value)) +
    q8(hidden, heads * value)
  const mlp = (width: number) => q8(2 * width, hidden) + q8(hidden, width)
  const experts = config.n_routed_experts
  const touched = experts * (1 - (1 - config.num_experts_per_tok / experts) ** sequences)
  const moe =
    touched * mlp(config.moe_intermediate_size) +
    mlp(config.moe_intermediate_size * config.n_shared_experts) +
    4 * experts * hidden
  const dense = config.first_k_dense_replace
  const layers = config.num_hidden_layers
  return (
    layers * attention +
    dense * mlp(config.intermediate_size) +
    (layers - dense) * moe +
    q8(config.vocab_size, hidden)
  )
}

/** FLOPs (two per multiply-add) of the matrix products for one prefilled token, without the output head. */
export function prefillFlopsPerToken(config: TextConfig): number {
  const { hidden_size: hidden, num_attention_heads: heads, kv_lora_rank: latent } = config
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope, v_head_dim: value } = config
  const attention =
    (heads * (nope + rope) + latent + rope) * hidden +
    heads * (nope + value) * latent +
    hidden * heads * value
  const mlp = (width: number) => 3 * width * hidden
  const moe =
    config.num_experts_per_tok * mlp(config.moe_intermediate_size) +
    mlp(config.moe_intermediate_size * config.n_shared_experts) +
    config.n_routed_experts * hidden
  const dense = config.first_k_dense_replace
  const layers = config.num_hidden_layers
  return 2 * (layers * attention + dense * mlp(config.intermediate_size) + (layers - dense) * moe)
}
