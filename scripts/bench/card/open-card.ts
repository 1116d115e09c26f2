import { availableParallelism } from 'node:os'
import { decoderOf, modelInfo, openModel } from '../../../backend/model/load-model.ts'
import { openWebGpuAccelerator } from '../../../backend/model/accelerator/webgpu-accelerator.ts'
import type { ModelConfig } from '../../../backend/model/config/model-config.ts'
import type { Model } from '../../../backend/model/model.ts'
import { randomSource } from '../random-source.ts'
import { withLeastDecoder } from './card-config.ts'
import { randomDecoder, type RandomDecoder } from './random-decoder.ts'
import {
  rememberingAccelerator,
  sharingAccelerator,
  type RememberingAccelerator,
} from './shared-memory.ts'

export interface CardOptions {
  readonly config: ModelConfig
  readonly slots: number
  readonly cacheTokens: number
  /** Whether equal layers are one set of weights, so that 27 of them take the memory of one. */
  readonly sharesLayers: boolean
}

/** A model with random weights on a card. */
export interface OpenCard {
  readonly decoder: RandomDecoder
  /** Without vision. */
  readonly model: Model
  readonly memory: RememberingAccelerator
}

/** @throws {DeviceError} when the card has too little memory */
export async function openCard(options: CardOptions): Promise<OpenCard> {
  const card = openWebGpuAccelerator()
  const memory = rememberingAccelerator(options.sharesLayers ? sharingAccelerator(card) : card)
  const decoder = randomDecoder(options)
  const open = await decoder.open(memory.accelerator)
  const model: Model = {
    ...decoderOf(open),
    info: modelInfo(options.config, options.slots, open.cacheInfo),
    beginImage() {
      throw new Error('This model cannot see')
    },
    async close() {
      await open.close()
      await card.close()
    },
  }
  return { decoder, model, memory }
}

/** The vision tower, as part of a model whose decoder is as small as can be. */
export function openVision(config: ModelConfig, modelsDir: string): Promise<Model> {
  return openModel(randomSource(withLeastDecoder(config)), {
    modelsDir,
    weights: 'q8',
    slots: 1,
    threads: availableParallelism(),
    device: { accelerator: openWebGpuAccelerator(), cacheTokens: 64 },
  })
}

/** A model that uses another one's vision tower. Both have to be closed. */
export function withVision(model: Model, vision: Model): Model {
  return { ...model, beginImage: (image) => vision.beginImage(image) }
}
