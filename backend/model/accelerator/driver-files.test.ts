import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { furtherDrivers, missingDriver } from './driver-files.ts'

/** A file system of these files. */
function filesOf(...paths: string[]) {
  return filesWith({}, ...paths)
}

/** @param libraries of drivers, by the manifests that name them */
function filesWith(libraries: Readonly<Record<string, string>>, ...paths: string[]) {
  return {
    read: (path: string) => JSON.stringify({ ICD: { library_path: libraries[path] } }),
    exists: (path: string) => paths.includes(path),
    list: (folder: string) =>
      paths
        .filter((path) => path.startsWith(`${folder}/`))
        .map((path) => path.slice(folder.length + 1)),
  }
}

const mounted = '/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json'
const registered = '/usr/share/vulkan/icd.d/lvp_icd.json'
const loader = '/usr/lib/x86_64-linux-gnu/libvulkan.so.1'

describe('furtherDrivers()', () => {
  it('names drivers that the loader does not find by itself', () => {
    const files = filesOf(mounted, registered)
    expect(furtherDrivers({}, files, 'linux')).toEqual({ VK_ADD_DRIVER_FILES: mounted })
    expect(furtherDrivers({}, filesOf(registered), 'linux')).toEqual({})
    expect(furtherDrivers({}, files, 'win32')).toEqual({})
  })

  it('registers NVIDIA’s driver where its libraries are, but not its manifest', () => {
    const library = '/usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.0'
    const own = furtherDrivers({}, filesOf(registered, library), 'linux')
    const manifest = JSON.parse(readFileSync(own['VK_ADD_DRIVER_FILES']!, 'utf8')) as unknown
    expect(manifest).toMatchObject({ ICD: { library_path: 'libGLX_nvidia.so.0' } })
    const usual = '/etc/vulkan/icd.d/nvidia_icd.json'
    expect(furtherDrivers({}, filesOf(usual, library), 'linux')).toEqual({})
    expect(furtherDrivers({}, filesOf(mounted, library), 'linux')).toEqual({
      VK_ADD_DRIVER_FILES: mounted,
    })
    expect(missingDriver({}, filesOf(loader, library), 'linux')).toContain('libEGL.so.1')
  })

  it('leaves it to an operator who says which drivers there are', () => {
    const said = { VK_DRIVER_FILES: '/opt/icd.json' }
    expect(furtherDrivers(said, filesOf(mounted), 'linux')).toEqual({})
  })
})

describe('missingDriver()', () => {
  it('is the loader, wherever it is looked for', () => {
    expect(missingDriver({}, filesOf(registered), 'linux')).toContain('libvulkan.so.1')
    const own = { LD_LIBRARY_PATH: ':/opt/lib' }
    expect(missingDriver(own, filesOf(registered, '/opt/lib/libvulkan.so.1'), 'linux')).toBe(
      undefined,
    )
  })

  it('is any driver', () => {
    expect(missingDriver({}, filesOf(loader), 'linux')).toContain('NVIDIA_DRIVER_CAPABILITIES')
    expect(missingDriver({}, filesOf(loader, registered), 'linux')).toBeUndefined()
  })

  it('is a driver that the operator names, and that does not exist', () => {
    const said = { VK_DRIVER_FILES: '/x.json:/y.json' }
    expect(missingDriver(said, filesOf(loader, '/x.json', '/y.json'), 'linux')).toBeUndefined()
    expect(missingDriver(said, filesOf(loader, '/x.json'), 'linux')).toBe(
      'VK_DRIVER_FILES names /y.json, which does not exist',
    )
  })

  it('is the library of the only driver that is registered', () => {
    const missing = (libraries: Readonly<Record<string, string>>, ...paths: string[]) =>
      missingDriver({}, filesWith(libraries, loader, ...paths, ...Object.keys(libraries)), 'linux')
    expect(missing({ [registered]: 'libGLX_x.so.0' })).toMatch(
      /^\/usr\/share\/vulkan\/icd.d\/lvp_icd.json registers libGLX_x.so.0, which is not there: /,
    )
    expect(missing({ [registered]: '../../../lib/x.so' })).toContain('registers /usr/lib/x.so, ')
    expect(missing({ [registered]: '../../../lib/x.so' }, '/usr/lib/x.so')).toBeUndefined()
    expect(missing({ [registered]: 'libx.so' }, '/usr/lib64/libx.so')).toBeUndefined()
    const other = '/etc/vulkan/icd.d/other.json'
    expect(missing({ [registered]: 'libx.so', [other]: 'liby.so' }, '/lib/liby.so')).toBeUndefined()
    const said = { VK_DRIVER_FILES: registered }
    const files = filesWith({ [registered]: '/x.so' }, loader, registered)
    expect(missingDriver(said, files, 'linux')).toContain('registers /x.so, which is not there')
  })

  it('is what NVIDIA’s driver loads, which images of containers lack', () => {
    const loaded = ['libEGL.so.1', 'libX11.so.6', 'libXext.so.6'].map(
      (name) => `/usr/lib64/${name}`,
    )
    expect(missingDriver({}, filesOf(loader, mounted, ...loaded.slice(1)), 'linux')).toBe(
      "NVIDIA's driver needs libEGL.so.1 (Debian and Ubuntu: libegl1)",
    )
    expect(missingDriver({}, filesOf(loader, mounted, ...loaded), 'linux')).toBeUndefined()
  })

  it('is unknown on other systems', () => {
    expect(missingDriver({}, filesOf(), 'darwin')).toBeUndefined()
  })
})
