import { cpuCacheBytes, openCpuStages, type CpuStagesSetup } from './cpu-decoder.ts'
import type { CacheInfo, Decoder } from './decoder-part.ts'
import { DeviceStage } from './device/device-stage.ts'
import {
  deviceCacheBytes,
  openDeviceLayers,
  type DeviceLayersSetup,
} from './device/open-device-layers.ts'
import { slotGrowthTokens } from './slot-memory.ts'
import { allOpen, stagedDecoder } from './staged-decoder.ts'

interface DividedDecoderSetup extends CpuStagesSetup {
  /** Its graphs begin with the layer after those of `stages`. */
  readonly device: Omit<DeviceLayersSetup, 'config' | 'features' | 'slots'>
}

/**
 * The decoder divided between CPU and device: the first layers on the CPU, with embeddings and image features, and the last
 * on the device, with the head. One row of the residual stream per token is sent to the device.
 * @throws {Error} when a graph cannot be opened
 * @throws {DeviceError} when the device has too little memory
 */
export async function openDividedDecoder(setup: DividedDecoderSetup): Promise<Decoder> {
  const { device, config, slots } = setup
  const layers = { ...device, config, slots, features: undefined }
  const stages = await allOpen([
    ...openCpuStages(setup),
    openDeviceLayers(layers).then((opened) => new DeviceStage(opened, config.hidden_size)),
  ])
  return stagedDecoder(stages, setup, cacheInfo(layers))
}

/** Slots grow as those on the CPU do; the device has no room for more tokens than it was opened for. */
function cacheInfo(setup: DeviceLayersSetup): CacheInfo {
  const { from } = setup.graphs.layers
  return {
    cacheBytesPerToken:
      cpuCacheBytes(setup.config, { from: 0, to: from }) + deviceCacheBytes(setup),
    slotGrowthTokens,
    cacheTokens: setup.cacheTokens,
  }
}
