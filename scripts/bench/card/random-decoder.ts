import type { Accelerator } from '../../../backend/model/accelerator/accelerator.ts'
import type { ModelConfig, TextConfig } from '../../../backend/model/config/model-config.ts'
import {
  allExpertsGraph,
  deviceGraphs,
} from '../../../backend/model/convert/graphs/device-graphs.ts'
import type { Decoder } from '../../../backend/model/deepseek/decoder-part.ts'
import { FeatureMemory } from '../../../backend/model/accelerator/feature-memory.ts'
import { openDeviceDecoder } from '../../../backend/model/deepseek/device/open-device-decoder.ts'
import { stepBytes } from '../../../backend/model/deepseek/device/step-bytes.ts'
import { externalsOf } from '../../../backend/graph/device-graph.ts'
import { randomSource } from '../random-source.ts'
import { createNoise } from './noise.ts'
import { randomWeights } from './random-weights.ts'

/** Open slots for each sequence in a step, as in load-model.ts. */
const slotsPerSequence = 2

interface RandomDecoderOptions {
  readonly config: ModelConfig
  /** The most sequences in a step. */
  readonly slots: number
  /** Tokens for which the card's memory is set aside. */
  readonly cacheTokens: number
}

/** The device's decoder with random weights. */
export interface RandomDecoder {
  readonly config: TextConfig
  readonly graphs: ReturnType<typeof deviceGraphs>
  /** Bytes of all weights on the card. */
  readonly weightBytes: number
  /** Bytes that a step of this many tokens has to read. */
  stepBytes(tokens: number): number
  /**
   * Makes the weights on the card. They are never on a disk, and the host holds a few hundred megabytes.
   * @throws {DeviceError} when the card has too little memory
   */
  open(accelerator: Accelerator): Promise<Decoder>
}

export function randomDecoder(options: RandomDecoderOptions): RandomDecoder {
  const { config: model, checkpoint } = randomSource(options.config)
  const config = model.text_config
  const form = { weights: 'q8', layout: 'device', cacheType: 'float16' } as const
  const allExperts = allExpertsGraph(config, checkpoint, form)
  const graphs = deviceGraphs(config, checkpoint, form, allExperts)
  const sizes = externalsOf(allExperts.spec).map(({ byteLength }) => byteLength)
  return {
    config,
    graphs,
    weightBytes: sizes.reduce((sum, bytes) => sum + bytes, 0),
    stepBytes: (tokens) => stepBytes(allExperts.spec, config, tokens),
    open: async (accelerator) =>
      openDeviceDecoder({
        accelerator,
        features: await FeatureMemory.open(accelerator, 0, config.hidden_size),
        config,
        graphs,
        cacheType: form.cacheType,
        cacheTokens: options.cacheTokens,
        slots: slotsPerSequence * options.slots,
        embeddings: { lookUp: randomEmbeddings(config) },
        readWeight: randomWeights(Math.max(...sizes)),
      }),
  }
}

/**
 * Rows of a table that is never stored: each token's row begins at a different place in one stretch of random numbers.
 */
function randomEmbeddings(config: TextConfig): (ids: Int32Array, target: Float32Array) => void {
  const hidden = config.hidden_size
  const noise = createNoise()
  const stretch = Float32Array.from({ length: 64 * hidden }, () => noise() / 2 ** 31 - 1)
  return (ids, target) => {
    ids.forEach((id, row) => {
      const start = (id * 7919) % (stretch.length - hidden)
      target.set(stretch.subarray(start, start + hidden), row * hidden)
    })
  }
}
