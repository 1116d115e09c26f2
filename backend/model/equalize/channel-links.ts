import type { ModelConfig, TextConfig, VisionConfig } from '../config/model-config.ts'

/**
 * The channels of one activation, between what produces them and the 8-bit products that consume them. Only sums lie in
 * between: a channel may be made 2^k times smaller and its weights in every consumer 2^k times larger without changing
 * the result. The output of a GELU cannot be made smaller by weights; there, the graph multiplies the channels, in
 * links that have any to move.
 */
export interface ChannelLink {
  /** Name of the activation, such as `language_model.model.layers.3.mlp.experts.7.inner`. */
  readonly name: string
  readonly channels: number
  readonly maker: Norm | Product | Gelu
  readonly takers: readonly Taker[]
}

/** Each channel is a normed value times its weight, plus its bias. */
interface Norm {
  readonly kind: 'norm'
  readonly weight: string
  readonly bias?: string
}

/** Each channel is a row of a product, plus its bias; of a SwiGLU, times silu of a row of its gate. */
interface Product {
  readonly kind: 'product'
  readonly weight: string
  readonly bias?: string
  readonly gate?: string
  /** Name of the link whose channels the product takes. */
  readonly input: string
  readonly rowOf: (channel: number) => number
}

/** Each channel is the gelu of a row of a product, plus its bias. */
interface Gelu {
  readonly kind: 'gelu'
  readonly weight: string
  readonly bias: string
}

/** A weight that is multiplied with the channels. */
export interface Taker {
  readonly weight: string
  /** Channel c: all columns c, c + channels, c + 2 channels ..., or row `firstRow` + c. */
  readonly along: 'columns' | { readonly firstRow: number }
  /** Float products gain nothing from balance; they only have to follow. */
  readonly inFloat?: boolean
}

const columns = (weight: string): Taker => ({ weight, along: 'columns' })
const sameRow = (channel: number) => channel

/**
 * Every link of a Kimi-VL that 8-bit products consume; each comes after the one that its producer's inputs come from.
 */
export function channelLinks(config: ModelConfig): ChannelLink[] {
  const { text_config: text, vision_config: vision } = config
  return [
    ...Array.from({ length: vision.num_hidden_layers }, (_, block) => blockLinks(vision, block)),
    ...Array.from({ length: text.num_hidden_layers }, (_, layer) => [
      ...attentionLinks(text, layer),
      ...feedForwardLinks(text, layer),
    ]),
    headLink(text),
  ].flat()
}

/** The activation between the two products of a block's feed-forward part. */
export function middleLink(block: number): string {
  return `vision_tower.encoder.blocks.${block}.mlp.middle`
}

function blockLinks(
  { hidden_size: hidden, intermediate_size: inner }: VisionConfig,
  block: number,
): ChannelLink[] {
  const prefix = `vision_tower.encoder.blocks.${block}`
  const normed = (norm: string, taker: string): ChannelLink => ({
    name: `${prefix}.${norm}`,
    channels: hidden,
    maker: { kind: 'norm', weight: `${prefix}.${norm}.weight`, bias: `${prefix}.${norm}.bias` },
    takers: [columns(`${prefix}.${taker}.weight`)],
  })
  const values: ChannelLink = {
    name: `${prefix}.values`,
    channels: hidden,
    maker: {
      kind: 'product',
      weight: `${prefix}.wqkv.weight`,
      bias: `${prefix}.wqkv.bias`,
      input: `${prefix}.norm0`,
      rowOf: (channel) => 2 * hidden + channel,
    },
    takers: [columns(`${prefix}.wo.weight`)],
  }
  const [before, after] = [`${prefix}.mlp.fc0`, `${prefix}.mlp.fc1`]
  const middle: ChannelLink = {
    name: middleLink(block),
    channels: inner,
    maker: { kind: 'gelu', weight: `${before}.weight`, bias: `${before}.bias` },
    takers: [columns(`${after}.weight`)],
  }
  return [normed('norm0', 'wqkv'), values, normed('norm1', 'mlp.fc0'), middle]
}

function attentionLinks(text: TextConfig, layer: number): ChannelLink[] {
  const { num_attention_heads: heads, v_head_dim: value } = text
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope } = text
  const prefix = `language_model.model.layers.${layer}`
  const weight = (name: string) => `${prefix}.self_attn.${name}.weight`
  const [input, latent] = [`${prefix}.input_layernorm`, `${prefix}.self_attn.kv_a_layernorm`]
  const queries = Array.from({ length: heads }, (_, head): ChannelLink => {
    const rowOf = (channel: number) => head * (nope + rope) + channel
    const taker = { weight: weight('kv_b_proj'), along: { firstRow: head * (nope + value) } }
    return {
      name: `${prefix}.self_attn.queries.${head}`,
      channels: nope,
      maker: { kind: 'product', weight: weight('q_proj'), input, rowOf },
      takers: [taker],
    }
  })
  const rowOfValue = (channel: number) =>
    Math.floor(channel / value) * (nope + value) + nope + (channel % value)
  return [
    {
      name: input,
      channels: text.hidden_size,
      maker: { kind: 'norm', weight: `${input}.weight` },
      takers: [columns(weight('q_proj')), columns(weight('kv_a_proj_with_mqa'))],
    },
    {
      name: latent,
      channels: text.kv_lora_rank,
      maker: { kind: 'norm', weight: `${latent}.weight` },
      takers: [columns(weight('kv_b_proj'))],
    },
    ...queries,
    {
      name: `${prefix}.self_attn.values`,
      channels: heads * value,
      maker: { kind: 'product', weight: weight('kv_b_proj'), input: latent, rowOf: rowOfValue },
      takers: [columns(weight('o_proj'))],
    },
  ]
}

function feedForwardLinks(text: TextConfig, layer: number): ChannelLink[] {
  const prefix = `language_model.model.layers.${layer}`
  const input = `${prefix}.post_attention_layernorm`
  const isDense = layer < text.first_k_dense_replace
  const mlps = isDense
    ? [[`${prefix}.mlp`, text.intermediate_size] as const]
    : expertsOf(text, prefix)
  const gateAndUp = mlps.flatMap(([mlp]) => [
    columns(`${mlp}.gate_proj.weight`),
    columns(`${mlp}.up_proj.weight`),
  ])
  const router: Taker = { ...columns(`${prefix}.mlp.gate.weight`), inFloat: true }
  const inner = mlps.map(([mlp, width]): ChannelLink => ({
    name: `${mlp}.inner`,
    channels: width,
    maker: {
      kind: 'product',
      weight: `${mlp}.up_proj.weight`,
      gate: `${mlp}.gate_proj.weight`,
      input,
      rowOf: sameRow,
    },
    takers: [columns(`${mlp}.down_proj.weight`)],
  }))
  return [
    {
      name: input,
      channels: text.hidden_size,
      maker: { kind: 'norm', weight: `${input}.weight` },
      takers: isDense ? gateAndUp : [router, ...gateAndUp],
    },
    ...inner,
  ]
}

/** Name and inner width of the routed experts and the shared one. */
function expertsOf(text: TextConfig, prefix: string): (readonly [string, number])[] {
  const width = text.moe_intermediate_size
  const routed = Array.from(
    { length: text.n_routed_experts },
    (_, expert) => [`${prefix}.mlp.experts.${expert}`, width] as const,
  )
  return [...routed, [`${prefix}.mlp.shared_experts`, width * text.n_shared_experts]]
}

function headLink(text: TextConfig): ChannelLink {
  const norm = 'language_model.model.norm'
  return {
    name: norm,
    channels: text.hidden_size,
    maker: { kind: 'norm', weight: `${norm}.weight` },
    takers: [columns('language_model.lm_head.weight')],
  }
}
