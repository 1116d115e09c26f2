import { describe, expect, it } from 'vitest'
import { oddConfig } from '../../../../test/support/model/write-checkpoint.ts'
import { checkInventory, expectedTensors } from './inventory.ts'
import type { ModelConfig } from '../../config/model-config.ts'

/** config.json of moonshotai/Kimi-VL-A3B-Instruct, as far as shapes depend on it. */
async function kimiVlA3b(): Promise<ModelConfig> {
  const base = await oddConfig()
  return {
    ...base,
    text_config: {
      ...base.text_config,
      vocab_size: 163840,
      hidden_size: 2048,
      intermediate_size: 11264,
      moe_intermediate_size: 1408,
      num_hidden_layers: 27,
      num_attention_heads: 16,
      kv_lora_rank: 512,
      qk_nope_head_dim: 128,
      qk_rope_head_dim: 64,
      v_head_dim: 128,
      n_routed_experts: 64,
      n_shared_experts: 2,
      first_k_dense_replace: 1,
    },
    vision_config: {
      ...base.vision_config,
      hidden_size: 1152,
      intermediate_size: 4304,
      num_hidden_layers: 27,
      init_pos_emb_height: 64,
      init_pos_emb_width: 64,
    },
  }
}

describe('expectedTensors()', () => {
  it('counts the published tensors and parameters of Kimi-VL-A3B', async () => {
    const shapes = expectedTensors(await kimiVlA3b())
    const parameters = [...shapes.values()].reduce(
      (sum, dims) => sum + dims.reduce((product, n) => product * n, 1),
      0,
    )
    expect(shapes.size).toBe(5652)
    expect(parameters).toBe(16_407_656_048)
  })
})

describe('checkInventory()', () => {
  const name = 'language_model.model.layers.2.mlp.experts.4.up_proj.weight'

  it('accepts a complete checkpoint, rotary buffers ignored', async () => {
    const expected = expectedTensors(await oddConfig())
    const actual = new Map(expected)
    actual.set('language_model.model.layers.0.self_attn.rotary_emb.inv_freq', [6])
    expect(() => checkInventory(actual, expected)).not.toThrow()
  })

  it('names a missing, a wrongly shaped and an unexpected tensor', async () => {
    const expected = expectedTensors(await oddConfig())
    const missing = new Map(expected)
    missing.delete(name)
    expect(() => checkInventory(missing, expected)).toThrow(`lacks the tensor ${name}`)
    const reshaped = new Map(expected).set(name, [72, 44])
    expect(() => checkInventory(reshaped, expected)).toThrow(
      `${name} has shape [72,44], config.json asks for [44,72]`,
    )
    const extra = new Map(expected).set('language_model.model.layers.3.norm', [1])
    expect(() => checkInventory(extra, expected)).toThrow('unexpected tensor language_model')
  })
})
