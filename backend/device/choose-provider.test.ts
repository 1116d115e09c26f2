import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../shared/node/settings/environment.ts'
import type { Adapter, ProbeResult } from './adapter.ts'
import { chooseProvider as choose, type ProviderSetting } from './choose-provider.ts'
import { planLayers, parseDeviceMap } from './device-map.ts'

const card: Adapter = {
  name: 'NVIDIA H200',
  driver: 'libGLX_nvidia.so.0',
  kind: 'hardware',
  memory: { totalBytes: 140e9, freeBytes: 139e9 },
}
const lavapipe: Adapter = {
  name: 'llvmpipe (LLVM 15.0.6, 256 bits)',
  driver: 'libvulkan_lvp.so',
  kind: 'software',
  memory: undefined,
}
/** About the real model's: 31 KB of cache a token. */
const demand = {
  layerBytes: [0.13e9, ...Array<number>(26).fill(0.65e9)],
  otherBytes: 0.97e9,
  cacheBytesPerToken: 1152,
  contextTokens: 131_072,
  slots: 4,
  kvTokens: undefined,
}
type LimitedDemand = Omit<typeof demand, 'kvTokens'> & { kvTokens: number }
const withFree = (freeBytes: number): Adapter => ({
  ...card,
  memory: { totalBytes: 24e9, freeBytes },
})

const chooseProvider = (
  setting: Exclude<ProviderSetting, 'cpu'>,
  probed: ProbeResult,
  needs: typeof demand | LimitedDemand,
) => mapped(setting, 'auto', probed, needs)

function mapped(
  setting: Exclude<ProviderSetting, 'cpu'>,
  text: string,
  probed: ProbeResult,
  needs: Parameters<typeof chooseProvider>[2] = demand,
) {
  const map = parseDeviceMap(text)
  if (map !== 'auto' && 'problem' in map) throw new Error(map.problem)
  const askedBy = map === 'auto' ? `PROVIDER=${setting}` : `DEVICE_MAP=${text}`
  const plan = planLayers(map, 27)
  return choose({ setting, askedBy, plan }, probed, () => Promise.resolve(needs))
}

describe('what runs the decoder', async () => {
  it('is the card when one was found, with memory for long conversations in every slot', async () => {
    for (const setting of ['auto', 'webgpu'] as const) {
      expect(await chooseProvider(setting, { adapter: card }, demand)).toMatchObject({
        name: 'webgpu',
        card: { cacheTokens: 4 * 8192, cpuLayers: 0 },
        layers: { cpu: 0, gpu: 27 },
        reason: 'NVIDIA H200, driver libGLX_nvidia.so.0, 139.0 GB of 140.0 GB free',
      })
    }
  })

  it('keeps the cache within what weights and intermediate results leave', async () => {
    const choice = await chooseProvider('auto', { adapter: withFree(21.7e9) }, demand)
    expect(choice).toMatchObject({
      name: 'webgpu',
      // A buffer of 16 MiB in each layer; the next larger ones have 26 MB.
      card: { cacheTokens: Math.floor(2 ** 24 / 1152) - 1 },
    })
  })

  it('is both when not all layers fit on the card', async () => {
    for (const setting of ['auto', 'webgpu'] as const) {
      expect(await chooseProvider(setting, { adapter: withFree(13.7e9) }, demand)).toMatchObject({
        name: 'webgpu',
        card: { cacheTokens: 4 * 8192, cpuLayers: 14 },
        layers: { cpu: 14, gpu: 13 },
        stageLayers: undefined,
        reason:
          'NVIDIA H200, driver libGLX_nvidia.so.0, 13.7 GB of 24.0 GB free; ' +
          '13 of 27 layers there, as many as fit, and the first 14 on the CPU',
      })
    }
    const many = { ...demand, kvTokens: 100_000 }
    const choice = await chooseProvider('auto', { adapter: withFree(22.3e9) }, many)
    expect(choice).toMatchObject({ card: { cacheTokens: 100_000 }, layers: { cpu: 4, gpu: 23 } })
  })

  it('is both as DEVICE_MAP says', async () => {
    const choice = await mapped('webgpu', 'cpu:4,cpu:5,gpu:18', { adapter: withFree(20e9) })
    expect(choice).toMatchObject({
      name: 'webgpu',
      card: { cacheTokens: 4 * 8192, cpuLayers: 9 },
      layers: { cpu: 9, gpu: 18 },
      stageLayers: [4, 5],
    })
    expect(choice.reason).toMatch(
      /; 18 of 27 layers there, as DEVICE_MAP says, and the first 9 on the CPU$/,
    )
    const unknown = { adapter: { ...card, memory: undefined } }
    const { name, reason } = await mapped('webgpu', 'cpu:1,gpu:26', unknown)
    expect([name, reason]).toEqual(['webgpu', expect.stringMatching(/, and the first on the CPU$/)])
  })

  it('is an error when what DEVICE_MAP puts on the card does not fit', async () => {
    const probed = { adapter: withFree(12e9) }
    await expect(mapped('webgpu', 'cpu:9,gpu:18', probed)).rejects.toThrow(
      /^DEVICE_MAP=cpu:9,gpu:18: its last 18 layers need 15\.9 GB of a card's memory: NVIDIA H200.* 12\.0 GB of 24\.0 GB free\..* or set DEVICE_MAP=auto/,
    )
    await expect(mapped('webgpu', 'gpu', probed)).rejects.toThrow(/the model needs 21\.3 GB/)
  })

  it('names what helps: a driver where there is none, and memory or fewer layers where they do not fit', async () => {
    const messageOf = (map: string, probed: ProbeResult, needs: typeof demand | LimitedDemand) =>
      mapped('webgpu', map, probed, needs).then(String, ({ message }: Error) => message)
    expect(await messageOf('auto', { problem: 'this machine has none' }, demand)).toMatch(
      /Install the card's driver .*, or set PROVIDER=auto or PROVIDER=cpu\.$/,
    )
    const small = { adapter: withFree(14.2e9) }
    expect(await messageOf('cpu:9,gpu:18', small, demand)).toMatch(
      /free\. Free some of the card's memory, set DEVICE_MAP=cpu:13,gpu:14, or set DEVICE_MAP=auto or DEVICE_MAP=cpu\.$/,
    )
    expect(await messageOf('auto', { adapter: withFree(2e9) }, demand)).toMatch(
      /free\. Free some of the card's memory, or set PROVIDER=auto or PROVIDER=cpu\.$/,
    )
    const many = { ...demand, kvTokens: 1_000_000 }
    expect(await messageOf('gpu', { adapter: withFree(31.5e9) }, many)).toMatch(
      /free\. Free some of the card's memory, lower KV_CACHE_TOKENS, set DEVICE_MAP=cpu:12,gpu:15, or/,
    )
  })

  it('is the CPU when not one layer fits', async () => {
    const choice = await chooseProvider('auto', { adapter: withFree(4.8e9) }, demand)
    expect(choice).toMatchObject({ name: 'cpu', layers: { cpu: 27, gpu: 0 }, card: undefined })
    expect(choice.reason).toMatch(/^its last layer needs 4\.8 GB of a card's memory: NVIDIA/)
  })

  it('has the cache that is set', async () => {
    const all = { ...demand, kvTokens: 0 }
    expect(await chooseProvider('auto', { adapter: card }, all)).toMatchObject({
      card: { cacheTokens: 4 * 131_072 },
    })
  })

  it('is the CPU without a card, on a software driver, and where the card’s memory is unknown', async () => {
    const results = [
      { problem: 'this machine has none' },
      { adapter: lavapipe },
      { adapter: { ...card, memory: undefined } },
    ]
    const reasons = await Promise.all(
      results.map((probed) => chooseProvider('auto', probed, demand)),
    )
    expect(reasons.map(({ name }) => name)).toEqual(['cpu', 'cpu', 'cpu'])
    expect(reasons.map(({ reason }) => reason)).toEqual([
      'no graphics card can be used: this machine has none',
      'llvmpipe (LLVM 15.0.6, 256 bits), driver libvulkan_lvp.so is a software driver',
      'NVIDIA H200, driver libGLX_nvidia.so.0: its free memory is unknown (PROVIDER=webgpu uses it anyway)',
    ])
  })

  it('is a software driver, or a card of unknown memory, only by request', async () => {
    expect(await chooseProvider('webgpu', { adapter: lavapipe }, demand)).toMatchObject({
      name: 'webgpu',
      card: { cacheTokens: 4 * 8192 },
      reason: expect.stringContaining('a software driver: slow') as string,
    })
  })

  it.each([
    [{ problem: 'its driver failed (SIGSEGV)' }, 'its driver failed (SIGSEGV)'],
    [{ adapter: withFree(2e9) }, 'its last layer needs 4.8 GB'],
  ])('an error, when a card was asked for: %j', async (probed, text) => {
    const error = await chooseProvider('webgpu', probed, demand).catch((thrown: Error) => thrown)
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as Error).message).toContain(text)
    expect((error as Error).message).toContain('or set PROVIDER=auto or PROVIDER=cpu')
  })
})
