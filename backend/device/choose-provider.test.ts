import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../shared/node/settings/environment.ts'
import type { Adapter, ProbeResult } from './adapter.ts'
import { chooseProvider as choose, type ProviderSetting } from './choose-provider.ts'

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
  weightBytes: 18e9,
  cacheBytesPerToken: 31_104,
  contextTokens: 131_072,
  slots: 4,
  kvTokens: undefined,
}
const withFree = (freeBytes: number): Adapter => ({
  ...card,
  memory: { totalBytes: 24e9, freeBytes },
})

const chooseProvider = (
  setting: Exclude<ProviderSetting, 'cpu'>,
  probed: ProbeResult,
  needs: typeof demand | (Omit<typeof demand, 'kvTokens'> & { kvTokens: number }),
) => choose(setting, probed, () => Promise.resolve(needs))

describe('what runs the decoder', async () => {
  it('is the card when one was found, with memory for long conversations in every slot', async () => {
    for (const setting of ['auto', 'webgpu'] as const) {
      expect(await chooseProvider(setting, { adapter: card }, demand)).toMatchObject({
        name: 'webgpu',
        card: { cacheTokens: 4 * 8192 },
        reason: 'NVIDIA H200, driver libGLX_nvidia.so.0, 139.0 GB of 140.0 GB free',
      })
    }
  })

  it('keeps the cache within what the weights leave, and a gigabyte free', async () => {
    const choice = await chooseProvider('auto', { adapter: withFree(19.5e9) }, demand)
    expect(choice).toMatchObject({
      name: 'webgpu',
      card: { cacheTokens: Math.floor(0.5e9 / 31_104) },
    })
  })

  it('is the CPU when the model does not fit', async () => {
    const choice = await chooseProvider('auto', { adapter: withFree(19e9) }, demand)
    expect(choice).toMatchObject({ name: 'cpu' })
    expect(choice.reason).toContain('the model needs 19.0 GB')
    const many = { ...demand, kvTokens: 100_000 }
    expect(await chooseProvider('auto', { adapter: withFree(20e9) }, many)).toMatchObject({
      name: 'cpu',
    })
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
      'NVIDIA H200, driver libGLX_nvidia.so.0: its free memory is unknown (PROVIDER=webgpu takes it all the same)',
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
    [{ adapter: withFree(2e9) }, 'the model needs 19.0 GB'],
  ])('an error, when a card was asked for: %j', async (probed, text) => {
    const error = await chooseProvider('webgpu', probed, demand).catch((thrown: Error) => thrown)
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as Error).message).toContain(text)
    expect((error as Error).message).toContain('or set PROVIDER=auto or PROVIDER=cpu')
  })
})
