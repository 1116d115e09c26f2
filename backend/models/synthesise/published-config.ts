import { parseModelConfig, type ModelConfig } from '../../model/config/model-config.ts'

/** Sizes of a synthesised model that may be smaller than the published ones. */
export interface ModelSizes {
  readonly layers: number
  readonly visionLayers: number
  readonly experts: number
}

/** Those of moonshotai/Kimi-VL-A3B-Instruct. */
export const publishedSizes: ModelSizes = { layers: 27, visionLayers: 27, experts: 64 }

/** Special tokens whose names are known; the ids between them are reserved. */
export const publishedSpecialTokens: Readonly<Record<number, string>> = {
  163584: '[BOS]',
  163585: '[EOS]',
  163586: '<|im_end|>',
  163587: '<|im_user|>',
  163588: '<|im_assistant|>',
  163590: '<|start_header_id|>',
  163591: '<|end_header_id|>',
  163593: '[EOT]',
  163594: '<|im_system|>',
  163601: '<|im_middle|>',
  163602: '<|media_start|>',
  163603: '<|media_content|>',
  163604: '<|media_end|>',
  163605: '<|media_pad|>',
  163838: '[PAD]',
  163839: '[UNK]',
}

/** Tokens of text; those above are special. */
export const publishedVocabulary = 163_584

/** config.json of moonshotai/Kimi-VL-A3B-Instruct (revision 398eede0), with other sizes. */
export function publishedConfig({ layers, visionLayers, experts }: ModelSizes) {
  return {
    architectures: ['KimiVLForConditionalGeneration'],
    model_type: 'kimi_vl',
    media_placeholder_token_id: 163605,
    ignore_index: -100,
    vocab_size: 163840,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    transformers_version: '4.50.3',
    text_config: {
      vocab_size: 163840,
      hidden_size: 2048,
      intermediate_size: 11264,
      moe_intermediate_size: 1408,
      num_hidden_layers: layers,
      num_attention_heads: 16,
      num_key_value_heads: 16,
      kv_lora_rank: 512,
      q_lora_rank: null,
      qk_nope_head_dim: 128,
      qk_rope_head_dim: 64,
      v_head_dim: 128,
      n_routed_experts: experts,
      n_shared_experts: 2,
      num_experts_per_tok: Math.min(6, experts),
      first_k_dense_replace: 1,
      routed_scaling_factor: 2.446,
      rms_norm_eps: 1e-5,
      rope_theta: 800000,
      max_position_embeddings: 131072,
      bos_token_id: 163584,
      eos_token_id: 163585,
      pad_token_id: 163839,
      moe_layer_freq: 1,
      n_group: 1,
      topk_group: 1,
      topk_method: 'noaux_tc',
      scoring_func: 'sigmoid',
      norm_topk_prob: true,
      hidden_act: 'silu',
      rope_scaling: null,
      attention_bias: false,
      attention_dropout: 0,
      tie_word_embeddings: false,
    },
    vision_config: {
      model_type: 'moonvit',
      patch_size: 14,
      hidden_size: 1152,
      num_hidden_layers: visionLayers,
      num_attention_heads: 16,
      intermediate_size: 4304,
      init_pos_emb_height: 64,
      init_pos_emb_width: 64,
      merge_kernel_size: [2, 2],
      torch_dtype: 'bfloat16',
    },
  }
}

/** The same as the server reads it. */
export function modelConfigOf(sizes: ModelSizes): ModelConfig {
  return parseModelConfig(publishedConfig(sizes))
}

/** preprocessor_config.json of the same model. */
export const publishedPreprocessor = {
  patch_size: 14,
  pad_input: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
  in_token_limit: 4096,
  merge_kernel_size: [2, 2],
  num_pooled_tokens: 1024,
  processor_class: 'KimiVLProcessor',
} as const
