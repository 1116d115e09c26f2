import { join } from 'node:path'
import type { Accelerator } from '../../backend/model/accelerator/accelerator.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model } from '../../backend/model/model.ts'
import { writeOutlierCheckpoint } from '../support/model/outlier-checkpoint.ts'
import { oddConfig, randomTensors, writeCheckpoint } from '../support/model/write-checkpoint.ts'
import { nano } from './golden-cases.ts'

/**
 * Models that are run on a device: nano in float32 and in 8 bits, nanos that compute the same with outlier channels in every
 * part, in 8 bits, nano in float32 with the first half of its layers on the CPU, and one of random numbers whose heads are as
 * wide as the full model's, so that several tokens of one sequence can be one row, in float32.
 */
export const deviceModels = [
  'f32',
  'q8',
  'outliers-16',
  'outliers-1024',
  'divided',
  'wide',
] as const
export type DeviceModel = (typeof deviceModels)[number]

/** Tokens of the device's cache: enough for the longest check, and small enough that leaks show. */
export const cacheTokens = 2048

/** @param modelsDir for what is converted; checkpoints are written there, too */
export async function openDeviceModel(
  name: DeviceModel,
  accelerator: Accelerator,
  modelsDir: string,
  slots = 4,
): Promise<Model> {
  const weights = name === 'q8' || name.startsWith('outliers') ? 'q8' : 'f32'
  const device = { accelerator, cacheTokens, cpuLayers: name === 'divided' ? 2 : 0 }
  const checkpointDir = await checkpointOf(name, modelsDir)
  return loadModel({ checkpointDir, modelsDir, weights, slots, threads: 1, device })
}

async function checkpointOf(name: DeviceModel, modelsDir: string): Promise<string> {
  const folder = join(modelsDir, name)
  switch (name) {
    case 'f32':
    case 'q8':
    case 'divided':
      return nano
    case 'outliers-16':
    case 'outliers-1024': {
      const power = name === 'outliers-16' ? 4 : 10
      await writeOutlierCheckpoint(folder, nano, { parts: ['text', 'vision'], power, seed: power })
      return folder
    }
    case 'wide': {
      const config = await oddConfig()
      const text_config = { ...config.text_config, kv_lora_rank: 512, qk_rope_head_dim: 64 }
      const wide = { ...config, text_config }
      await writeCheckpoint(folder, wide, randomTensors(wide))
      return folder
    }
  }
}
