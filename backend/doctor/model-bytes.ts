import type { ConvertedModel } from '../model/convert/converted-model.ts'
import type { TextConfig } from '../model/config/model-config.ts'
import { layerOf } from '../model/deepseek/decoder-names.ts'

/** Weights of one expert, in a layer's mixture of experts. */
const ofExpert = /\/experts\/\d+\//

/** Bytes of all weights of a converted model. */
export function weightBytes({ graphs }: Pick<ConvertedModel, 'graphs'>): number {
  return Object.values(graphs)
    .flatMap(({ spec }) => spec.initializers)
    .reduce((sum, tensor) => sum + ('offset' in tensor ? tensor.byteLength : 0), 0)
}

/**
 * Bytes of weights that the decoder reads for one token of one stream: of the experts, the chosen ones alone.
 * @param layers the first ones that count; unless given, all do, and the head with them
 */
export function bytesPerToken(
  { graphs }: Pick<ConvertedModel, 'graphs'>,
  { n_routed_experts: experts, num_experts_per_tok: chosen }: TextConfig,
  layers = Infinity,
): number {
  const decoder = Object.entries(graphs).find(([file]) => file.startsWith('decoder'))![1]
  return decoder.spec.initializers.reduce((sum, tensor) => {
    if (!('offset' in tensor)) return sum
    if (layers < Infinity && (layerOf(tensor.name) ?? layers) >= layers) return sum
    return sum + tensor.byteLength * (ofExpert.test(tensor.name) ? chosen / experts : 1)
  }, 0)
}
