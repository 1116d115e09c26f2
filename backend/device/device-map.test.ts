import { describe, expect, it } from 'vitest'
import type { ProviderSetting } from './choose-provider.ts'
import { parseDeviceMap, planLayers, providerFor, type DeviceMap } from './device-map.ts'

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
    expect(asked('auto', 'cpu:9,gpu:18')).toEqual(['webgpu', 'DEVICE_MAP=cpu:9,gpu:18'])
    expect(asked('webgpu', 'cpu:9,gpu:18')).toEqual(['webgpu', 'DEVICE_MAP=cpu:9,gpu:18'])
    expect(asked('auto', 'auto')).toEqual(['auto', 'PROVIDER=auto'])
    expect(asked('webgpu', 'auto')).toEqual(['webgpu', 'PROVIDER=webgpu'])
  })

  it('does not contradict PROVIDER', () => {
    expect(() => providerFor('cpu', mapOf('gpu:27'))).toThrow(
      'DEVICE_MAP=gpu:27 contradicts PROVIDER=cpu: leave one of them unset.',
    )
    expect(() => providerFor('webgpu', mapOf('cpu'))).toThrow(/contradicts PROVIDER=webgpu/)
    expect(() => providerFor('cpu', mapOf('cpu:9,gpu:18'))).toThrow(/contradicts PROVIDER=cpu/)
  })

  it.each([
    ['auto', { stageLayers: undefined, cardLayers: undefined }],
    ['cpu', { stageLayers: undefined, cardLayers: 0 }],
    ['cpu:27', { stageLayers: [27], cardLayers: 0 }],
    ['cpu:13,cpu:14', { stageLayers: [13, 14], cardLayers: 0 }],
    ['gpu', { stageLayers: undefined, cardLayers: 27 }],
    ['gpu:27', { stageLayers: undefined, cardLayers: 27 }],
    ['cpu:9,gpu:18', { stageLayers: [9], cardLayers: 18 }],
    ['cpu:4,cpu:5,gpu:18', { stageLayers: [4, 5], cardLayers: 18 }],
  ])('plans the layers of the model by %s', (text, plan) => {
    expect(planLayers(mapOf(text), 27)).toEqual({ total: 27, ...plan })
  })

  it.each([
    ['cpu:13,cpu:13', 26],
    ['cpu:9,gpu:17', 26],
    ['gpu:28', 28],
  ])('places exactly the layers of the model, unlike %s', (text, placed) => {
    expect(() => planLayers(mapOf(text), 27)).toThrow(
      `DEVICE_MAP=${text} places ${placed} layers, and the model has 27.`,
    )
  })
})
