import type { EmbeddingTable } from '../embedding-table.ts'
import { DeviceDecoder } from './device-decoder.ts'
import { deviceCacheBytes, openDeviceLayers, type DeviceLayersSetup } from './open-device-layers.ts'

interface DeviceDecoderSetup extends DeviceLayersSetup {
  readonly embeddings: Pick<EmbeddingTable, 'lookUp'>
}

/** Opens all layers on a device. @throws {DeviceError} when it has too little memory */
export async function openDeviceDecoder(setup: DeviceDecoderSetup): Promise<DeviceDecoder> {
  return new DeviceDecoder({
    layers: await openDeviceLayers(setup),
    hiddenSize: setup.config.hidden_size,
    embeddings: setup.embeddings,
    cacheInfo: {
      cacheBytesPerToken: deviceCacheBytes(setup),
      slotGrowthTokens: 1,
      cacheTokens: setup.cacheTokens,
    },
  })
}
