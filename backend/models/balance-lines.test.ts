import { expect, it } from 'vitest'
import { channelLinks } from '../model/equalize/channel-links.ts'
import { readModelConfig } from '../model/config/model-config.ts'
import { balanceLines } from './balance-lines.ts'

it('reports for each component how many channels are balanced, where, and by how much', async () => {
  const config = await readModelConfig('models/kimi-vl-nano')
  const { text_config: text, vision_config: vision } = config
  const places = (name: RegExp) => channelLinks(config).filter((link) => name.test(link.name))
  const all = channelLinks(config).map(({ name }) => [name, { 0: 9, 5: -3 }] as const)
  const middle = places(/mlp\.middle$/).length
  expect(middle).toBe(vision.num_hidden_layers)
  const inAttention = places(/layers\.\d+\.(input_layernorm|self_attn)/).length
  expect(inAttention).toBe(text.num_hidden_layers * (3 + text.num_attention_heads))
  const inExperts = (text.num_hidden_layers - 1) * (2 + text.n_routed_experts)
  const amount = (count: number) => `${2 * count} channels in ${count} places`
  expect(balanceLines(Object.fromEntries(all), text)).toEqual([
    `outliers: ${amount(all.length)} are balanced`,
    `  vision: ${amount(4 * middle)}, by factors of 8 to 512; ${middle} behind a gelu, each with a product`,
    `  attention: ${amount(inAttention)}, by factors of 8 to 512`,
    `  dense: ${amount(2)}, by factors of 8 to 512`,
    `  experts: ${amount(inExperts)}, by factors of 8 to 512`,
    `  head: ${amount(1)}, by factors of 8 to 512`,
  ])
})

it('says when there are none', async () => {
  const { text_config: text } = await readModelConfig('models/kimi-vl-nano')
  expect(balanceLines({}, text)).toEqual(['outliers: no channel is out of balance'])
})
