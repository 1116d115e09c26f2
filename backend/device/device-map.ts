import { ConfigError } from '../../shared/node/settings/environment.ts'
import type { ProviderSetting } from './choose-provider.ts'
import type { LayerPlan } from './place-layers.ts'

/** Layers on one device. */
interface Entry {
  readonly device: 'cpu' | 'gpu'
  /** Undefined for all of them. */
  readonly layers: number | undefined
}

/** Where the decoder's layers run, from the first on; `auto` leaves it to PROVIDER and the card's memory. */
export type DeviceMap = 'auto' | readonly Entry[]

/** @returns the map, or what is wrong with it */
export function parseDeviceMap(text: string): DeviceMap | { readonly problem: string } {
  const entries = text.split(',').map((entry) => entry.trim())
  if (entries.join() === 'auto') return 'auto'
  const placements: Entry[] = []
  for (const entry of entries) {
    const [, device = '', count] = /^([^:]*)(?::(.*))?$/s.exec(entry)!
    if (device !== 'cpu' && device !== 'gpu') {
      return { problem: `unknown device "${device}", expected cpu or gpu` }
    }
    if (count !== undefined && !/^[1-9]\d{0,3}$/.test(count)) {
      return { problem: `"${entry}" needs a number of layers, at least 1, such as ${device}:9` }
    }
    placements.push({ device, layers: count === undefined ? undefined : Number(count) })
  }
  const problem = problemIn(placements)
  return problem === undefined ? placements : { problem }
}

function problemIn(placements: readonly Entry[]): string | undefined {
  const devices = placements.map(({ device }) => device)
  const firstGpu = devices.indexOf('gpu')
  if (placements.length > 1 && placements.some(({ layers }) => layers === undefined)) {
    return 'with several entries each needs a number of layers, such as cpu:9,gpu:18'
  }
  if (firstGpu >= 0 && devices.includes('cpu', firstGpu)) {
    return 'layers on the CPU come first, those on the card last, such as cpu:9,gpu:18'
  }
  if (devices.filter((device) => device === 'gpu').length > 1) {
    return 'there is only one gpu, so it can be named once'
  }
  return undefined
}

export function usesCard(map: DeviceMap): boolean {
  return map !== 'auto' && map.some(({ device }) => device === 'gpu')
}

/** What runs the decoder, and the setting that says so. */
interface ProviderDemand {
  readonly setting: ProviderSetting
  /** As `NAME=value`. */
  readonly askedBy: string
}

/**
 * What PROVIDER and DEVICE_MAP ask for together.
 * @throws {ConfigError} when they contradict each other, or ask for what does not exist
 */
export function providerFor(provider: ProviderSetting, map: DeviceMap): ProviderDemand {
  if (map === 'auto') return { setting: provider, askedBy: `PROVIDER=${provider}` }
  const askedBy = `DEVICE_MAP=${formatDeviceMap(map)}`
  const setting = usesCard(map) ? 'webgpu' : 'cpu'
  if (provider === 'auto' || provider === setting) return { setting, askedBy }
  throw new ConfigError(`${askedBy} contradicts PROVIDER=${provider}: leave one of them unset.`)
}

/** @throws {ConfigError} when the map does not place as many layers as the model has */
export function planLayers(map: DeviceMap, total: number): LayerPlan {
  if (map === 'auto') return { total, stageLayers: undefined, cardLayers: undefined }
  const countsOn = (device: Entry['device']) =>
    map.filter((entry) => entry.device === device).map(({ layers }) => layers ?? total)
  const [onCpu, onCard] = [countsOn('cpu'), countsOn('gpu')]
  const placed = [...onCpu, ...onCard].reduce((sum, count) => sum + count, 0)
  if (placed !== total) {
    throw new ConfigError(
      `DEVICE_MAP=${formatDeviceMap(map)} places ${placed} layers, and the model has ${total}.`,
    )
  }
  const isCounted = onCpu.length > 0 && map.every(({ layers }) => layers !== undefined)
  return { total, stageLayers: isCounted ? onCpu : undefined, cardLayers: onCard[0] ?? 0 }
}

/** The map as a setting. */
export function formatDeviceMap(map: DeviceMap): string {
  if (map === 'auto') return map
  return map
    .map(({ device, layers }) => (layers === undefined ? device : `${device}:${layers}`))
    .join()
}
