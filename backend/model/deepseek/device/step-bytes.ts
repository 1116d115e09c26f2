import { externalsOf } from '../../../graph/device-graph.ts'
import type { GraphSpec } from '../../../graph/onnx-proto.ts'
import type { TextConfig } from '../../config/model-config.ts'
import { expertCount } from './network/device-experts.ts'

/** Weights of all experts of a layer, as `allExperts` names them. */
const ofExperts = /^\/layers\.(\d+)\/mlp\/(?:gate|up|down)\//

/** Tables of which a step reads a few rows. */
const ofRope = /^\/rope\//

/**
 * Bytes of weights that one run of the device's graphs has to read: for a single token the chosen and the shared experts,
 * for more all of them.
 * @param spec of the graph with all experts
 */
export function stepBytes(spec: GraphSpec, config: TextConfig, tokens: number): number {
  const chosen = config.num_experts_per_tok + config.n_shared_experts
  const share = tokens === 1 ? chosen / expertCount(config) : 1
  return externalsOf(spec).reduce((sum, { name, byteLength }) => {
    if (ofRope.test(name)) return sum
    const layer = ofExperts.exec(name)?.[1]
    const isExperts = layer !== undefined && Number(layer) >= config.first_k_dense_replace
    return sum + byteLength * (isExperts ? share : 1)
  }, 0)
}
