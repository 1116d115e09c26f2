import { CheckpointError } from '../../../checkpoint/checkpoint-error.ts'
import type { ModelConfig, TextConfig, VisionConfig } from '../../config/model-config.ts'

type Shapes = Map<string, readonly number[]>

/** Buffers that some checkpoints contain but nothing reads: rotary frequencies are computed from `rope_theta`. */
const ignored = /\.rotary_emb\.inv_freq$/

/** Every tensor that a Kimi-VL checkpoint of this configuration contains, with its shape. */
export function expectedTensors(config: ModelConfig): Shapes {
  const shapes: Shapes = new Map()
  addText(shapes, config.text_config)
  addVision(shapes, config.vision_config)
  addProjector(shapes, config)
  return shapes
}

function addText(shapes: Shapes, text: TextConfig): void {
  const { hidden_size: hidden, vocab_size: vocab } = text
  shapes.set('language_model.model.embed_tokens.weight', [vocab, hidden])
  shapes.set('language_model.model.norm.weight', [hidden])
  shapes.set('language_model.lm_head.weight', [vocab, hidden])
  for (let layer = 0; layer < text.num_hidden_layers; layer++) {
    const prefix = `language_model.model.layers.${layer}`
    shapes.set(`${prefix}.input_layernorm.weight`, [hidden])
    shapes.set(`${prefix}.post_attention_layernorm.weight`, [hidden])
    addAttention(shapes, `${prefix}.self_attn`, text)
    if (layer < text.first_k_dense_replace) {
      addSwiGlu(shapes, `${prefix}.mlp`, hidden, text.intermediate_size)
    } else {
      addExperts(shapes, `${prefix}.mlp`, text)
    }
  }
}

function addAttention(shapes: Shapes, prefix: string, text: TextConfig): void {
  const { hidden_size: hidden, num_attention_heads: heads, kv_lora_rank: latent } = text
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope, v_head_dim: value } = text
  shapes.set(`${prefix}.q_proj.weight`, [heads * (nope + rope), hidden])
  shapes.set(`${prefix}.kv_a_proj_with_mqa.weight`, [latent + rope, hidden])
  shapes.set(`${prefix}.kv_a_layernorm.weight`, [latent])
  shapes.set(`${prefix}.kv_b_proj.weight`, [heads * (nope + value), latent])
  shapes.set(`${prefix}.o_proj.weight`, [hidden, heads * value])
}

function addSwiGlu(shapes: Shapes, prefix: string, hidden: number, width: number): void {
  shapes.set(`${prefix}.gate_proj.weight`, [width, hidden])
  shapes.set(`${prefix}.up_proj.weight`, [width, hidden])
  shapes.set(`${prefix}.down_proj.weight`, [hidden, width])
}

function addExperts(shapes: Shapes, prefix: string, text: TextConfig): void {
  const { hidden_size: hidden, moe_intermediate_size: width, n_routed_experts: experts } = text
  shapes.set(`${prefix}.gate.weight`, [experts, hidden])
  shapes.set(`${prefix}.gate.e_score_correction_bias`, [experts])
  for (let expert = 0; expert < experts; expert++) {
    addSwiGlu(shapes, `${prefix}.experts.${expert}`, hidden, width)
  }
  addSwiGlu(shapes, `${prefix}.shared_experts`, hidden, width * text.n_shared_experts)
}

function addVision(shapes: Shapes, vision: VisionConfig): void {
  const { hidden_size: hidden, patch_size: patch, intermediate_size: inner } = vision
  const tower = 'vision_tower'
  shapes.set(`${tower}.patch_embed.proj.weight`, [hidden, 3, patch, patch])
  shapes.set(`${tower}.patch_embed.proj.bias`, [hidden])
  shapes.set(`${tower}.patch_embed.pos_emb.weight`, [
    vision.init_pos_emb_height,
    vision.init_pos_emb_width,
    hidden,
  ])
  for (let block = 0; block < vision.num_hidden_layers; block++) {
    const prefix = `${tower}.encoder.blocks.${block}`
    addAffine(shapes, `${prefix}.norm0`, [hidden])
    addAffine(shapes, `${prefix}.norm1`, [hidden])
    addAffine(shapes, `${prefix}.wqkv`, [3 * hidden, hidden])
    addAffine(shapes, `${prefix}.wo`, [hidden, hidden])
    addAffine(shapes, `${prefix}.mlp.fc0`, [inner, hidden])
    addAffine(shapes, `${prefix}.mlp.fc1`, [hidden, inner])
  }
  addAffine(shapes, `${tower}.encoder.final_layernorm`, [hidden])
}

function addProjector(
  shapes: Shapes,
  { text_config: text, vision_config: vision }: ModelConfig,
): void {
  const merged = vision.hidden_size * vision.merge_kernel_size[0] * vision.merge_kernel_size[1]
  addAffine(shapes, 'multi_modal_projector.pre_norm', [vision.hidden_size])
  addAffine(shapes, 'multi_modal_projector.linear_1', [merged, merged])
  addAffine(shapes, 'multi_modal_projector.linear_2', [text.hidden_size, merged])
}

function addAffine(shapes: Shapes, prefix: string, weight: readonly number[]): void {
  shapes.set(`${prefix}.weight`, weight)
  shapes.set(`${prefix}.bias`, weight.slice(0, 1))
}

/**
 * Checks that a checkpoint contains exactly the tensors its configuration requires.
 * @throws {CheckpointError} naming the first tensor that is missing, unexpected or of another shape
 */
export function checkInventory(
  actual: ReadonlyMap<string, readonly number[]>,
  expected: ReadonlyMap<string, readonly number[]>,
): void {
  for (const [name, shape] of expected) {
    const found = actual.get(name)
    if (found === undefined) throw new CheckpointError(`the checkpoint lacks the tensor ${name}`)
    if (found.join() !== shape.join()) {
      throw new CheckpointError(
        `the tensor ${name} has shape [${found.join()}], config.json asks for [${shape.join()}]`,
      )
    }
  }
  for (const name of actual.keys()) {
    if (!expected.has(name) && !ignored.test(name)) {
      throw new CheckpointError(`the checkpoint holds an unexpected tensor ${name}`)
    }
  }
}
