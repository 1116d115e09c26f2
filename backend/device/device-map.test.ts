import { describe, expect, it } from 'vitest'
import type { ProviderSetting } from './choose-provider.ts'
import { parseDeviceMap, providerFor, stageLayersOf, type DeviceMap } from './device-map.ts'

/** A map that is known to be right. */
function mapOf(text: string): DeviceMap {
  const map = parseDeviceMap(text)
  if (map !== 'auto' && 'problem' in map) throw new Error(map.problem)
  return map
}

describe('DEVICE_MAP', () => {
  it('is auto, one device, or layers on several', () => {
    expect(mapOf('auto')).toBe('auto')
    expect(mapOf('cpu')).toEqual([{ device: 'cpu', layers: undefined }])
    expect(mapOf(' cpu:9, gpu:18 ')).toEqual([
      { device: 'cpu', layers: 9 },
      { device: 'gpu', layers: 18 },
    ])
  })

  it.each([
    ['cuda:9', 'unknown device "cuda", expected cpu or gpu'],
    ['GPU', 'unknown device "GPU", expected cpu or gpu'],
    ['auto,gpu:3', 'unknown device "auto", expected cpu or gpu'],
    ['cpu:9,', 'unknown device "", expected cpu or gpu'],
    ['cpu:', '"cpu:" needs a number of layers, at least 1, such as cpu:9'],
    ['gpu:0', '"gpu:0" needs a number of layers, at least 1, such as gpu:9'],
    ['cpu:-3', '"cpu:-3" needs a number of layers, at least 1, such as cpu:9'],
    ['cpu:1.5', '"cpu:1.5" needs a number of layers, at least 1, such as cpu:9'],
    ['cpu:2:3', '"cpu:2:3" needs a number of layers, at least 1, such as cpu:9'],
    ['cpu,gpu:18', 'with several entries each needs a number of layers, such as cpu:9,gpu:18'],
    ['gpu:18,cpu:9', 'layers on the CPU come first, those on the card last, such as cpu:9,gpu:18'],
    ['gpu:9,gpu:18', 'there is only one gpu, so it can be named once'],
  ])('rejects %s', (text, problem) => {
    expect(parseDeviceMap(text)).toEqual({ problem })
  })

  it('decides what runs the decoder, or leaves it to PROVIDER', () => {
    const asked = (provider: ProviderSetting, text: string) => {
      const { setting, askedBy } = providerFor(provider, mapOf(text))
      return [setting, askedBy]
    }
    expect(asked('auto', 'gpu')).toEqual(['webgpu', 'DEVICE_MAP=gpu'])
    expect(asked('webgpu', 'gpu:27')).toEqual(['webgpu', 'DEVICE_MAP=gpu:27'])
    expect(asked('auto', 'cpu:13,cpu:14')).toEqual(['cpu', 'DEVICE_MAP=cpu:13,cpu:14'])
    expect(asked('auto', 'auto')).toEqual(['auto', 'PROVIDER=auto'])
    expect(asked('webgpu', 'auto')).toEqual(['webgpu', 'PROVIDER=webgpu'])
  })

  it('does not contradict PROVIDER', () => {
    expect(() => providerFor('cpu', mapOf('gpu:27'))).toThrow(
      'DEVICE_MAP=gpu:27 contradicts PROVIDER=cpu: leave one of them unset.',
    )
    expect(() => providerFor('webgpu', mapOf('cpu'))).toThrow(/contradicts PROVIDER=webgpu/)
  })

  it('does not divide layers between CPU and card', () => {
    expect(() => providerFor('auto', mapOf('cpu:9,gpu:18'))).toThrow(
      /^DEVICE_MAP=cpu:9,gpu:18: layers cannot be divided between CPU and card yet; set DEVICE_MAP=gpu/,
    )
  })

  it('places exactly the layers of the model', () => {
    expect(stageLayersOf('auto', 27)).toBeUndefined()
    expect(stageLayersOf(mapOf('cpu'), 27)).toBeUndefined()
    expect(stageLayersOf(mapOf('cpu:27'), 27)).toEqual([27])
    expect(stageLayersOf(mapOf('cpu:13,cpu:14'), 27)).toEqual([13, 14])
    expect(() => stageLayersOf(mapOf('cpu:13,cpu:13'), 27)).toThrow(
      'DEVICE_MAP=cpu:13,cpu:13 places 26 layers, and the model has 27.',
    )
  })
})
