import type { Checkpoint, CheckpointTensor } from '../../backend/checkpoint/checkpoint.ts'
import { rowSize } from '../../backend/graph/weight-source.ts'
import { expectedTensors } from '../../backend/model/convert/inventory.ts'
import type { ModelConfig } from '../../backend/model/config/model-config.ts'
import type { ModelSource } from '../../backend/model/convert/model-source.ts'

/** config.json of moonshotai/Kimi-VL-A3B-Instruct with a different number of layers. */
function fullSizeConfig(textLayers: number, visionLayers: number): ModelConfig {
  return {
    model_type: 'kimi_vl',
    media_placeholder_token_id: 163605,
    text_config: {
      vocab_size: 163840,
      hidden_size: 2048,
      intermediate_size: 11264,
      moe_intermediate_size: 1408,
      num_hidden_layers: textLayers,
      num_attention_heads: 16,
      kv_lora_rank: 512,
      q_lora_rank: null,
      qk_nope_head_dim: 128,
      qk_rope_head_dim: 64,
      v_head_dim: 128,
      n_routed_experts: 64,
      n_shared_experts: 2,
      num_experts_per_tok: 6,
      first_k_dense_replace: 1,
      routed_scaling_factor: 2.446,
      rms_norm_eps: 1e-5,
      rope_theta: 800000,
      max_position_embeddings: 131072,
      moe_layer_freq: 1,
      n_group: 1,
      topk_group: 1,
      topk_method: 'noaux_tc',
      scoring_func: 'sigmoid',
      norm_topk_prob: true,
      hidden_act: 'silu',
      rope_scaling: null,
      attention_bias: false,
      tie_word_embeddings: false,
    },
    vision_config: {
      patch_size: 14,
      hidden_size: 1152,
      num_hidden_layers: visionLayers,
      num_attention_heads: 16,
      intermediate_size: 4304,
      init_pos_emb_height: 64,
      init_pos_emb_width: 64,
      merge_kernel_size: [2, 2],
    },
  }
}

/** Length of the noise that all tensors are cut from, each at its own offset. */
const noiseLength = 1 << 24

/**
 * Weights with the real model's dimensions, filled with white noise that is scaled so that activations stay near 1.
 * They are generated as they are read, so a full-size model needs no checkpoint of 33 GB.
 */
export function randomSource(textLayers: number, visionLayers: number): ModelSource {
  const config = fullSizeConfig(textLayers, visionLayers)
  const noise = makeNoise()
  return {
    name: `random-${textLayers}-${visionLayers}`,
    config,
    preprocessor: {
      inTokenLimit: 4096,
      patchSize: 14,
      mergeSize: 2,
      padInput: true,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    },
    checkpoint: randomCheckpoint(expectedTensors(config), noise),
    describeFiles: () => Promise.resolve([]),
    filesUnchanged: () => Promise.resolve(true),
  }
}

/** Uniform in -1..1 (xorshift32). */
function makeNoise(): Float32Array {
  const noise = new Float32Array(noiseLength)
  let state = 0x9e3779b9
  for (let i = 0; i < noise.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    noise[i] = state / 2 ** 31
  }
  return noise
}

function randomCheckpoint(
  shapes: ReadonlyMap<string, readonly number[]>,
  noise: Float32Array,
): Checkpoint {
  const places = new Map([...shapes.keys()].map((name, index) => [name, index * 7919]))
  return {
    shapes,
    types: new Map([...shapes.keys()].map((name) => [name, 'BF16'])),
    tensor: (name) => randomTensor(name, shapes.get(name)!, noise, places.get(name)!),
    close: () => Promise.resolve(),
  }
}

function randomTensor(
  name: string,
  dims: readonly number[],
  noise: Float32Array,
  place: number,
): CheckpointTensor {
  const isNorm = /norm.*weight$/.test(name)
  const width = dims.slice(1).reduce((product, n) => product * n, 1)
  const scale = isNorm ? 0.1 : Math.sqrt(3 / width)
  const tensor: CheckpointTensor = {
    dims,
    type: 'BF16',
    readRows(start, count) {
      const values = new Float32Array(count * rowSize(tensor))
      let from = (place + start * rowSize(tensor)) % noise.length
      for (let i = 0; i < values.length; i++) {
        values[i] = noise[from]! * scale + (isNorm ? 1 : 0)
        if (++from === noise.length) from = 0
      }
      return Promise.resolve(values)
    },
    async readRawRows(start, count) {
      const values = await tensor.readRows(start, count)
      // bfloat16 is the upper half of a float32, which comes second in memory.
      const halves = new Uint16Array(values.buffer)
      const upper = new Uint16Array(values.length)
      for (let i = 0; i < upper.length; i++) upper[i] = halves[2 * i + 1]!
      return new Uint8Array(upper.buffer)
    },
  }
  return tensor
}
