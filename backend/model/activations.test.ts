import { expect, it } from 'vitest'
import { buildGraphs } from './convert/graphs/build-graphs.ts'
import { deviceGraphs, deviceVisionGraphs } from './convert/graphs/device-graphs.ts'
import { openModelSource } from './convert/source/model-source.ts'

it('rounds no activations on a card, where outliers would cost the others their digits', async () => {
  const { config, checkpoint } = await openModelSource('models/kimi-vl-nano')
  const form = { weights: 'q8', layout: 'device', cacheType: 'float16', slots: 4 } as const
  const { decoder } = buildGraphs(config, checkpoint, form)
  const { allExperts, chosenExperts } = deviceGraphs(config.text_config, checkpoint, form, decoder)
  const { stages, ...vision } = deviceVisionGraphs(config.vision_config, checkpoint, form)
  await checkpoint.close()
  const graphs = [allExperts, chosenExperts!, ...Object.values(vision), ...Object.values(stages)]
  const nodes = graphs.flatMap(({ spec }) => spec.nodes)
  const products = nodes.filter(({ opType }) => opType === 'MatMulNBits')
  expect(products.length).toBeGreaterThan(40)
  for (const { attributes } of products) {
    expect(attributes?.['accuracy_level']).toEqual({ kind: 'int', value: 0 })
  }
  expect(nodes.filter(({ opType }) => /Quantize|Integer/.test(opType))).toEqual([])
})
