import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expectedTensors } from '../../../backend/model/convert/source/inventory.ts'
import { readModelConfig, type ModelConfig } from '../../../backend/model/config/model-config.ts'

export type StoredType = 'BF16' | 'F16' | 'F32'

export interface TestTensor {
  readonly dims: readonly number[]
  readonly values: Float32Array
}

/** The bytes of a safetensors file. Values are rounded towards zero to the stored type. */
export function safetensorsBytes(
  tensors: ReadonlyMap<string, TestTensor>,
  typeOf: (name: string) => StoredType = () => 'F32',
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  const parts: Uint8Array[] = []
  let offset = 0
  for (const [name, { dims, values }] of tensors) {
    const bytes = storedBytes(values, typeOf(name))
    header[name] = {
      dtype: typeOf(name),
      shape: dims,
      data_offsets: [offset, offset + bytes.length],
    }
    offset += bytes.length
    parts.push(bytes)
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const prefix = new Uint8Array(8)
  new DataView(prefix.buffer).setBigUint64(0, BigInt(json.length), true)
  return Buffer.concat([prefix, json, ...parts])
}

function storedBytes(values: Float32Array, type: StoredType): Uint8Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  if (type === 'F32') return new Uint8Array(words.slice().buffer)
  const halves = Uint16Array.from(words, (word) => (type === 'BF16' ? word >>> 16 : halfOf(word)))
  return new Uint8Array(halves.buffer)
}

/** Normal numbers only, which suffices for weights between 2^-14 and 2^15. */
function halfOf(word: number): number {
  const exponent = ((word >>> 23) & 0xff) - 127 + 15
  if (exponent <= 0) return 0
  return ((word >>> 16) & 0x8000) | (exponent << 10) | ((word >>> 13) & 0x3ff)
}

/** A small reproducible generator of values in -1..1 (mulberry32). */
export function randomValues(count: number, seed: number): Float32Array {
  let state = seed
  return Float32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1
  })
}

/** Random tensors for every name required by a configuration, scaled so that activations stay near 1. */
export function randomTensors(config: ModelConfig, seed = 1): Map<string, TestTensor> {
  let index = seed * 1000
  return new Map(
    [...expectedTensors(config)].map(([name, dims]) => {
      const width = dims.slice(1).reduce((product, n) => product * n, 1)
      const count = width * dims[0]!
      const isNorm = /norm.*\.weight$/.test(name)
      const values = randomValues(count, index++).map((v) =>
        isNorm ? 1 + v / 10 : (1.7 * v) / Math.sqrt(width),
      )
      return [name, { dims, values }]
    }),
  )
}

/** Nano's configuration with different numbers: every dimension differs from nano's and from all others. */
export async function oddConfig(): Promise<ModelConfig> {
  const nano = await readModelConfig('models/kimi-vl-nano')
  return {
    ...nano,
    text_config: {
      ...nano.text_config,
      vocab_size: 1280,
      hidden_size: 72,
      intermediate_size: 100,
      moe_intermediate_size: 44,
      num_hidden_layers: 3,
      num_attention_heads: 3,
      kv_lora_rank: 40,
      qk_nope_head_dim: 20,
      qk_rope_head_dim: 12,
      v_head_dim: 28,
      n_routed_experts: 5,
      n_shared_experts: 1,
      num_experts_per_tok: 3,
      first_k_dense_replace: 2,
      max_position_embeddings: 300,
    },
    vision_config: {
      ...nano.vision_config,
      hidden_size: 60,
      intermediate_size: 90,
      num_hidden_layers: 2,
      num_attention_heads: 5,
      init_pos_emb_height: 6,
      init_pos_emb_width: 9,
    },
  }
}

/** Writes a single-file checkpoint folder of the given tensors, with nano's small files. */
export async function writeCheckpoint(
  folder: string,
  config: ModelConfig,
  tensors: ReadonlyMap<string, TestTensor>,
  typeOf?: (name: string) => StoredType,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  await copyFile(
    'models/kimi-vl-nano/preprocessor_config.json',
    join(folder, 'preprocessor_config.json'),
  )
  await writeFile(join(folder, 'model.safetensors'), safetensorsBytes(tensors, typeOf))
}
