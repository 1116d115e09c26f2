import { describe, expect, it } from 'vitest'
import { isSoftware, readDriverLog } from './driver-log.ts'

describe('what drivers say about themselves', () => {
  it('names the device that was opened, and its driver', () => {
    // Lines of libvulkan1 1.3.239 with Mesa 25.0.7.
    const log = [
      'INFO | DRIVER:               [0] llvmpipe (LLVM 15.0.6, 256 bits)',
      'DRIVER | LAYER:          Using "llvmpipe (LLVM 15.0.6, 256 bits)" with driver: "libvulkan_lvp.so"',
    ].join('\n')
    expect(readDriverLog(log)).toEqual({
      name: 'llvmpipe (LLVM 15.0.6, 256 bits)',
      library: 'libvulkan_lvp.so',
    })
    expect(readDriverLog('Using "A card" with driver: "/usr/lib/libvulkan_radeon.so"')).toEqual({
      name: 'A card',
      library: 'libvulkan_radeon.so',
    })
    expect(readDriverLog('WARNING: no driver found')).toBeUndefined()
  })

  it.each([
    ['llvmpipe (LLVM 19.1.7, 256 bits)', 'libvulkan_lvp.so', true],
    ['SwiftShader Device (Subzero)', 'libvk_swiftshader.so', true],
    ['Microsoft Basic Render Driver', 'd3d12.dll', true],
    ['NVIDIA H200', 'libGLX_nvidia.so.0', false],
    ['AMD Radeon RX 7900 XTX (RADV NAVI31)', 'libvulkan_radeon.so', false],
  ])('%s computes on the CPU: %s, %s', (name, library, software) => {
    expect(isSoftware({ name, library })).toBe(software)
  })
})
