import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openModelSource } from '../../../backend/model/convert/source/model-source.ts'
import type { ModelConfig } from '../../../backend/model/config/model-config.ts'
import { readAll } from '../../../backend/graph/weight-source.ts'
import { writeCheckpoint, type TestTensor } from './write-checkpoint.ts'

/** Places of outliers: see `writeOutlierCheckpoint`. */
export type OutlierPart = 'text' | 'vision' | 'middle' | 'residual' | 'massive' | 'faint'

export interface Outliers {
  readonly parts: readonly OutlierPart[]
  /** By how many powers of two the channels are enlarged. */
  readonly power: number
  /** Decides which channels. */
  readonly seed: number
  /** Of each activation that has at least twice as many, otherwise half of them; 2 unless given. */
  readonly channels?: number
}

/** Channels that a feed-forward layer's activation gives up for outliers after a gelu. */
const givenUp = 2

/**
 * Writes a checkpoint that computes exactly the same as `original`, with some activation channels 2^power times
 * larger, as occurs naturally in large models: after every norm, between up and down, values and output, queries and
 * keys. The part `middle` is what a gelu produces, in the vision tower and the projector: there, nearly the same is computed.
 *
 * Three parts are of the residual streams, where another function is computed, because norms divide by what is larger or smaller
 * now. `residual` enlarges channels, and reduces the weights of all products that take them; `massive` reduces the weights of
 * norms instead; `faint` reduces channels, and enlarges the weights of norms.
 */
export async function writeOutlierCheckpoint(
  folder: string,
  original: string,
  { parts, power, seed, channels = 2 }: Outliers,
): Promise<void> {
  const { checkpoint, config } = await openModelSource(original)
  try {
    const tensors = new Map<string, TestTensor>()
    for (const name of checkpoint.shapes.keys()) {
      const tensor = checkpoint.tensor(name)
      tensors.set(name, { dims: tensor.dims, values: await readAll(tensor) })
    }
    const grower = new Grower(tensors, { power, seed, channels })
    if (parts.includes('text')) growText(grower, config)
    if (parts.includes('vision')) growVision(grower, config)
    if (parts.includes('middle')) growMiddle(grower, config)
    if (parts.includes('residual')) growResidual(grower, config, 'products', 1)
    if (parts.includes('massive')) growResidual(grower, config, 'norms', 1)
    if (parts.includes('faint')) growResidual(grower, config, 'norms', -1)
    await writeCheckpoint(folder, config, tensors)
    for (const name of ['tiktoken.model', 'tokenizer_config.json']) {
      await copyFile(join(original, name), join(folder, name))
    }
  } finally {
    await checkpoint.close()
  }
}

function growText(grower: Grower, { text_config: text }: ModelConfig): void {
  const { num_attention_heads: heads, qk_nope_head_dim: nope, qk_rope_head_dim: rope } = text
  const value = text.v_head_dim
  for (let layer = 0; layer < text.num_hidden_layers; layer++) {
    const prefix = `language_model.model.layers.${layer}`
    const attention = (name: string) => `${prefix}.self_attn.${name}.weight`
    const input = grower.pick(text.hidden_size)
    grower.rows(`${prefix}.input_layernorm.weight`, input)
    grower.columns(attention('q_proj'), input)
    grower.columns(attention('kv_a_proj_with_mqa'), input)
    const latent = grower.pick(text.kv_lora_rank)
    grower.rows(attention('kv_a_layernorm'), latent)
    grower.columns(attention('kv_b_proj'), latent)
    for (let head = 0; head < heads; head++) {
      const [key, values] = [grower.pick(nope), grower.pick(value)]
      const firstRow = head * (nope + value)
      grower.rows(attention('q_proj'), shifted(key, head * (nope + rope)))
      grower.rows(attention('kv_b_proj'), shifted(key, firstRow), -1)
      grower.rows(attention('kv_b_proj'), shifted(values, firstRow + nope))
      grower.columns(attention('o_proj'), shifted(values, head * value))
    }
    const normed = grower.pick(text.hidden_size)
    grower.rows(`${prefix}.post_attention_layernorm.weight`, normed)
    grower.allColumns(new RegExp(`^${prefix}\\.mlp\\..*(gate|gate_proj|up_proj)\\.weight$`), normed)
    grower.inner(new RegExp(`^${prefix}\\.mlp\\.(.*\\.)?up_proj\\.weight$`))
  }
  const last = grower.pick(text.hidden_size)
  grower.rows('language_model.model.norm.weight', last)
  grower.columns('language_model.lm_head.weight', last)
}

function growVision(grower: Grower, { vision_config: vision }: ModelConfig): void {
  const { hidden_size: hidden } = vision
  const affine = (name: string, rows: readonly number[]) => {
    grower.rows(`${name}.weight`, rows)
    grower.rows(`${name}.bias`, rows)
  }
  for (let block = 0; block < vision.num_hidden_layers; block++) {
    const prefix = `vision_tower.encoder.blocks.${block}`
    const [first, values, second] = [grower.pick(hidden), grower.pick(hidden), grower.pick(hidden)]
    affine(`${prefix}.norm0`, first)
    grower.columns(`${prefix}.wqkv.weight`, first)
    affine(`${prefix}.wqkv`, shifted(values, 2 * hidden))
    grower.columns(`${prefix}.wo.weight`, values)
    affine(`${prefix}.norm1`, second)
    grower.columns(`${prefix}.mlp.fc0.weight`, second)
  }
  const merged = grower.pick(hidden)
  affine('multi_modal_projector.pre_norm', merged)
  for (let cell = 0; cell < 4; cell++) {
    grower.columns('multi_modal_projector.linear_1.weight', shifted(merged, cell * hidden))
  }
}

/**
 * A gelu lets no factor through. Instead, the two channels that contribute least are given up, for two that are both a large
 * multiple of another one, with opposite weights in the next product.
 */
function growMiddle(grower: Grower, { vision_config: vision }: ModelConfig): void {
  for (let block = 0; block < vision.num_hidden_layers; block++) {
    const prefix = `vision_tower.encoder.blocks.${block}.mlp`
    grower.opposites(`${prefix}.fc0`, `${prefix}.fc1`)
  }
  grower.opposites('multi_modal_projector.linear_1', 'multi_modal_projector.linear_2')
}

/** @param sign 1 to enlarge channels, -1 to reduce them @param undoing what takes the factor back */
function growResidual(
  grower: Grower,
  { text_config: text, vision_config: vision }: ModelConfig,
  undoing: 'products' | 'norms',
  sign: number,
): void {
  const words = grower.pick(text.hidden_size)
  grower.allColumns(/embed_tokens\.weight$/, words, sign)
  grower.allRows(/^language_model\..*\.(o_proj|down_proj)\.weight$/, words, sign)
  grower.allRows(/linear_2\.(weight|bias)$/, words, sign)
  const patches = grower.pick(vision.hidden_size)
  grower.allColumns(/patch_embed\.pos_emb\.weight$/, patches, sign)
  grower.allRows(/patch_embed\.proj\.(weight|bias)$|\.(wo|fc1)\.(weight|bias)$/, patches, sign)
  if (undoing === 'norms') {
    grower.allRows(/(input_layernorm|post_attention_layernorm|model\.norm)\.weight$/, words, -sign)
    grower.allRows(/vision_tower\..*norm\d?\.weight$/, patches, -sign)
    return
  }
  const takers = /(q_proj|kv_a_proj_with_mqa|mlp\.gate|gate_proj|up_proj|lm_head)\.weight$/
  grower.allColumns(takers, words, -sign)
  grower.allColumns(/\.(wqkv|fc0)\.weight$/, patches, -sign)
  grower.allRows(/\.norm\d\.bias$/, patches, sign)
  grower.allRows(/final_layernorm\.weight$/, patches, -sign)
}

function shifted(indices: readonly number[], by: number): number[] {
  return indices.map((index) => index + by)
}

class Grower {
  readonly #tensors: Map<string, TestTensor>
  readonly #power: number
  readonly #channels: number
  #state: number

  constructor(
    tensors: Map<string, TestTensor>,
    { power, seed, channels }: Required<Omit<Outliers, 'parts'>>,
  ) {
    this.#tensors = tensors
    this.#power = power
    this.#channels = channels
    this.#state = seed
  }

  /** Distinct channels, by a linear congruential generator (Numerical Recipes). */
  pick(count: number): number[] {
    const picked = new Set<number>()
    while (picked.size < Math.min(this.#channels, count / 2)) {
      this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
      picked.add(Math.floor((this.#state / 2 ** 32) * count))
    }
    return [...picked]
  }

  rows(name: string, rows: readonly number[], sign = 1): void {
    const { values, width } = this.#matrix(name)
    for (const row of rows) {
      for (let i = row * width; i < (row + 1) * width; i++) values[i]! *= 2 ** (sign * this.#power)
    }
  }

  /** Reduced by the same factor unless given. */
  columns(name: string, columns: readonly number[], sign = -1): void {
    const { values, dims } = this.#tensors.get(name)!
    const width = dims.at(-1)!
    for (const column of columns) {
      for (let i = column; i < values.length; i += width) values[i]! *= 2 ** (sign * this.#power)
    }
  }

  allColumns(names: RegExp, columns: readonly number[], sign = -1): void {
    for (const name of this.#matching(names)) this.columns(name, columns, sign)
  }

  allRows(names: RegExp, rows: readonly number[], sign: number): void {
    for (const name of this.#matching(names)) this.rows(name, rows, sign)
  }

  /** Separate channels between each `up` and its `down`. */
  inner(ups: RegExp): void {
    for (const up of this.#matching(ups)) {
      const rows = this.pick(this.#tensors.get(up)!.dims[0]!)
      this.rows(up, rows)
      this.columns(up.replace('up_proj', 'down_proj'), rows)
    }
  }

  /** Replaces two channels between two layers: both are the same multiple of another, and their results cancel each other. */
  opposites(before: string, after: string): void {
    const [into, bias] = [this.#matrix(`${before}.weight`), this.#matrix(`${before}.bias`)]
    const out = this.#matrix(`${after}.weight`)
    const channels = bias.values.length
    const contribution = (channel: number) => {
      const row = into.values.subarray(channel * into.width, (channel + 1) * into.width)
      let weight = 0
      for (let i = channel; i < out.values.length; i += channels) weight += out.values[i]! ** 2
      return weight * (row.reduce((sum, x) => sum + x * x, 0) + bias.values[channel]! ** 2)
    }
    const byContribution = Array.from({ length: channels }, (_, channel) => channel).toSorted(
      (a, b) => contribution(a) - contribution(b),
    )
    const [source] = this.pick(channels).map((index) => byContribution[Math.max(2, index)]!)
    for (const [index, channel] of byContribution.slice(0, givenUp).entries()) {
      for (let i = 0; i < into.width; i++) {
        into.values[channel * into.width + i] =
          into.values[source! * into.width + i]! * 2 ** this.#power
      }
      bias.values[channel] = bias.values[source!]! * 2 ** this.#power
      for (let row = 0; row < out.values.length; row += channels) {
        const weight = out.values[row + source!]! * 2 ** -this.#power
        out.values[row + channel] = index === 0 ? weight : -weight
      }
    }
  }

  #matching(names: RegExp): string[] {
    return [...this.#tensors.keys()].filter((name) => names.test(name))
  }

  #matrix(name: string): { values: Float32Array; width: number } {
    const tensor = this.#tensors.get(name)
    if (tensor === undefined) throw new RangeError(`no tensor ${name}`)
    return { values: tensor.values, width: tensor.values.length / tensor.dims[0]! }
  }
}
