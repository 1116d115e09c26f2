import { describe, expect, it } from 'vitest'
import { memoryBehind, readNvidiaMemory } from './card-memory.ts'

function card(totalBytes: number, freeBytes: number) {
  return { totalBytes, freeBytes }
}

describe('the memory of a card', () => {
  it('is read for each of NVIDIA’s, in MiB', () => {
    expect(readNvidiaMemory('143771, 143167\n24564, 1024\n[N/A], [N/A]\n')).toEqual([
      { totalBytes: 143_771 * 2 ** 20, freeBytes: 143_167 * 2 ** 20 },
      { totalBytes: 24_564 * 2 ** 20, freeBytes: 2 ** 30 },
    ])
  })

  it('is that of NVIDIA’s first, however much is free on others', () => {
    const cards = { nvidia: [card(24e9, 2e9), card(24e9, 23e9)], amd: [card(48e9, 47e9)] }
    expect(memoryBehind('libGLX_nvidia.so.0', cards)).toEqual(card(24e9, 2e9))
    expect(memoryBehind(undefined, cards)).toEqual(card(24e9, 2e9))
  })

  it('is that of AMD’s largest, which integrated graphics is not', () => {
    const cards = { nvidia: [], amd: [card(0.5e9, 0.4e9), card(24e9, 2e9), card(24e9, 23e9)] }
    expect(memoryBehind('libvulkan_radeon.so', cards)).toEqual(card(24e9, 2e9))
    expect(memoryBehind(undefined, cards)).toEqual(card(24e9, 2e9))
  })

  it('is unknown behind other drivers, whatever cards there are', () => {
    const cards = { nvidia: [card(24e9, 23e9)], amd: [card(24e9, 23e9)] }
    expect(memoryBehind('libvulkan_intel.so', cards)).toBeUndefined()
  })
})
