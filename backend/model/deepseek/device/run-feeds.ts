import { Tensor } from 'onnxruntime-node'
import type { TextConfig } from '../../config/model-config.ts'
import { expertCount } from './network/device-experts.ts'
import { deviceNames } from './device-names.ts'

/** One row of a run's batch: consecutive new tokens of one sequence, as many as in every other row. */
export interface BatchRow {
  /** Position of the first new token in its sequence. */
  readonly position: number
  /** The cache rows of all tokens of the sequence up to the last new one. */
  readonly table: Int32Array
}

export interface BatchFeeds {
  readonly rows: readonly BatchRow[]
  /** New tokens of each row. */
  readonly tokens: number
  /** Tokens of every table after padding. */
  readonly tableTokens: number
  /** [rows * tokens, hidden]: see `deviceNames.stream` */
  readonly stream: Float32Array
  /** [rows * tokens]: where each token's features are in the device's memory */
  readonly featureRows: Int32Array
  /** Indices among all new tokens, at least one: the device has no empty tensors. */
  readonly sampleRows: readonly number[]
}

/** The inputs of the device graphs that are not weights or caches. See `deviceNames` for shapes. */
export function runFeeds(
  config: TextConfig,
  { rows, tokens, tableTokens, stream, featureRows, sampleRows }: BatchFeeds,
): Record<string, Tensor> {
  const [batch, count] = [rows.length, rows.length * tokens]
  const table = new Int64s(batch * tableTokens)
  const positions = new Int64s(count)
  const writeRows = new Int64s(count)
  const features = new Int64s(count)
  featureRows.forEach((row, i) => features.set(i, row))
  rows.forEach((row, b) => {
    row.table.forEach((cacheRow, i) => table.set(b * tableTokens + i, cacheRow))
    for (let i = 0; i < tokens; i++) {
      positions.set(b * tokens + i, row.position + i)
      writeRows.set(b * tokens + i, row.table[row.position + i]!)
    }
  })
  const lengths = rows.map((row) => row.table.length)
  const { num_attention_heads: heads, kv_lora_rank: latent, qk_rope_head_dim: rope } = config
  return {
    [deviceNames.stream]: new Tensor('float32', stream, [batch, tokens, config.hidden_size]),
    [deviceNames.featureRows]: features.tensor([count]),
    [deviceNames.positions]: positions.tensor([batch, tokens]),
    [deviceNames.table]: table.tensor([batch, tableTokens]),
    [deviceNames.writeRows]: writeRows.tensor([count, 1]),
    [deviceNames.lastPositions]: int32(lengths.map((length) => length - 1)),
    [deviceNames.longest]: int32([Math.max(...lengths)]),
    [deviceNames.shape]: int64([batch, tokens, (heads + 1) * (rope + latent)]),
    [deviceNames.sampleRows]: int64(sampleRows),
    [deviceNames.logitsShape]: int64([sampleRows.length, config.vocab_size]),
    [deviceNames.expertBase]: expertBase(config, count),
  }
}

/** 0 for routed experts, which the graph replaces where they are chosen, and 1 for shared ones. */
function expertBase(config: TextConfig, tokens: number): Tensor {
  const experts = expertCount(config)
  const values = new Float32Array(tokens * experts)
  for (let token = 0; token < tokens; token++) {
    values.fill(1, token * experts + config.n_routed_experts, (token + 1) * experts)
  }
  return new Tensor('float32', values, [tokens, experts])
}

/** Non-negative integers below 2^31 as int64, without a BigInt for each. */
class Int64s {
  readonly #values: BigInt64Array<ArrayBuffer>
  /** The lower halves are the even ones: every platform ONNX Runtime has is little-endian. */
  readonly #halves: Int32Array

  constructor(length: number) {
    this.#values = new BigInt64Array(length)
    this.#halves = new Int32Array(this.#values.buffer)
  }

  set(index: number, value: number): void {
    this.#halves[2 * index] = value
  }

  tensor(dims: readonly number[]): Tensor {
    return new Tensor('int64', this.#values, dims)
  }
}

function int64(values: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length])
}

function int32(values: readonly number[]): Tensor {
  return new Tensor('int32', Int32Array.from(values), [values.length])
}
