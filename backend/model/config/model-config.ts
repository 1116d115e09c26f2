import { join } from 'node:path'
import * as z from 'zod'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import { checkModelJson, readModelJson } from './read-model-file.ts'

/** File name in a checkpoint folder. */
export const modelConfigFile = 'config.json'

const positive = z.int().min(1)

const textSchema = z.object({
  vocab_size: positive,
  hidden_size: positive,
  intermediate_size: positive,
  moe_intermediate_size: positive,
  num_hidden_layers: positive,
  num_attention_heads: positive,
  kv_lora_rank: positive,
  q_lora_rank: z.null(),
  qk_nope_head_dim: positive,
  qk_rope_head_dim: positive.refine((dim) => dim % 2 === 0, 'must be even'),
  v_head_dim: positive,
  n_routed_experts: positive,
  n_shared_experts: positive,
  num_experts_per_tok: positive,
  first_k_dense_replace: z.int().min(0),
  routed_scaling_factor: z.number().positive(),
  rms_norm_eps: z.number().positive(),
  rope_theta: z.number().positive(),
  max_position_embeddings: positive,
  /**
   * The remaining fields select variants of the architecture that are not implemented: other values must be rejected.
   */
  moe_layer_freq: z.literal(1),
  n_group: z.literal(1),
  topk_group: z.literal(1),
  topk_method: z.literal('noaux_tc'),
  scoring_func: z.literal('sigmoid'),
  norm_topk_prob: z.literal(true),
  hidden_act: z.literal('silu'),
  rope_scaling: z.null(),
  attention_bias: z.literal(false),
  tie_word_embeddings: z.literal(false),
})

const visionSchema = z.object({
  patch_size: positive,
  hidden_size: positive,
  num_hidden_layers: positive,
  num_attention_heads: positive,
  intermediate_size: positive,
  init_pos_emb_height: positive,
  init_pos_emb_width: positive,
  merge_kernel_size: z.tuple([positive, positive]).refine(([h, w]) => h === w, 'must be square'),
})

const modelType = 'kimi_vl'

/** Read first: for another model, a list of every differing field would hide the actual problem. */
const typeSchema = z.looseObject({
  model_type: z.string(),
  architectures: z.array(z.string()).nullish(),
  /** Of weights in another form than the published one; MLX calls it `quantization`. */
  quantization_config: z.looseObject({ quant_method: z.string().optional() }).nullish(),
  quantization: z.unknown().optional(),
})

/** Models that are easily taken for a Kimi-VL. */
const relatives: Readonly<Record<string, string>> = {
  deepseek_v3: 'text only, as in Moonlight and DeepSeek-V3',
  kimi_k2: 'Kimi-K2, text only',
  kimi_k25: 'Kimi-K2.5 or later',
  kimi_linear: 'Kimi-Linear, text only',
}

const configSchema = z.object({
  model_type: z.literal(modelType),
  media_placeholder_token_id: z.int().min(0),
  text_config: textSchema,
  vision_config: visionSchema,
})

export type TextConfig = z.infer<typeof textSchema>
export type VisionConfig = z.infer<typeof visionSchema>
export type ModelConfig = z.infer<typeof configSchema>

/** The same from content in memory. @throws {CheckpointError} naming every field that cannot be used */
export function parseModelConfig(content: unknown): ModelConfig {
  return checkModelJson(modelConfigFile, content, configSchema)
}

/**
 * Reads config.json of a Kimi-VL checkpoint.
 * @throws {CheckpointError} when it belongs to another model, or naming every field that is missing, malformed or of
 * an unsupported variant
 */
export async function readModelConfig(checkpointDir: string): Promise<ModelConfig> {
  const content = await readModelJson(checkpointDir, modelConfigFile, typeSchema)
  refuseOthers(content)
  return checkModelJson(join(checkpointDir, modelConfigFile), content, configSchema)
}

function refuseOthers(content: z.infer<typeof typeSchema>): void {
  const { model_type: type, architectures, quantization_config: quantized, quantization } = content
  if (type !== modelType) {
    const facts = [architectures?.[0], relatives[type]].filter((fact) => fact !== undefined)
    const which = facts.length === 0 ? '' : ` (${facts.join('; ')})`
    throw new CheckpointError(
      `${modelConfigFile} is of a ${type} model${which}; only ${modelType} works`,
    )
  }
  if (quantized == null && quantization == null) return
  const method = quantized == null ? 'MLX' : (quantized.quant_method ?? 'an unnamed method')
  throw new CheckpointError(
    `${modelConfigFile} is of a Kimi-VL that was quantised with ${method}; only its original form works`,
  )
}
