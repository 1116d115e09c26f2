import type { ModelConfig } from '../../../backend/model/config/model-config.ts'
import {
  modelConfigOf,
  publishedSizes,
} from '../../../backend/models/synthesise/published-config.ts'

interface CardSizes {
  readonly layers: number
  readonly visionLayers: number
  /** Whether layers are narrow: then a machine without a card shows in seconds that everything works. */
  readonly narrow: boolean
}

/** Many times narrower than the real model's, with the same cache. */
const narrowText = {
  vocab_size: 8192,
  hidden_size: 128,
  intermediate_size: 384,
  moe_intermediate_size: 64,
  num_attention_heads: 2,
  qk_nope_head_dim: 32,
  v_head_dim: 32,
  n_routed_experts: 8,
  num_experts_per_tok: 2,
}
const narrowVision = { hidden_size: 128, intermediate_size: 384, num_attention_heads: 4 }

/** The real model's dimensions, with as many layers as are asked for. */
export function cardConfig({ layers, visionLayers, narrow }: CardSizes): ModelConfig {
  const config = modelConfigOf({ ...publishedSizes, layers, visionLayers })
  if (!narrow) return config
  return {
    ...config,
    media_placeholder_token_id: narrowText.vocab_size - 1,
    text_config: { ...config.text_config, ...narrowText },
    vision_config: { ...config.vision_config, ...narrowVision },
  }
}

/** The same with the smallest decoder that takes the same features. */
export function withLeastDecoder(config: ModelConfig): ModelConfig {
  const { vocab_size } = narrowText
  const least = { num_hidden_layers: 1, intermediate_size: 128, vocab_size }
  return {
    ...config,
    media_placeholder_token_id: vocab_size - 1,
    text_config: { ...config.text_config, ...least },
  }
}
