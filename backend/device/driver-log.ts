/** What the Vulkan loader's log says about the device that was opened. */
export interface OpenedDriver {
  readonly name: string
  /** File name of the driver's library. */
  readonly library: string
}

/** Setting under which the loader logs the device it opens (LoaderDebugging.md of KhronosGroup/Vulkan-Loader). */
export const loaderLogSetting = { VK_LOADER_DEBUG: 'layer,driver' } as const

/** Libraries of drivers that compute on the CPU: Mesa's lavapipe, and SwiftShader. */
const softwareDriver = /lvp|lavapipe|swiftshader/i

/** Names under which such drivers, and Direct3D's own, call themselves. */
const softwareName = /llvmpipe|lavapipe|swiftshader|basic render driver/i

/** @returns undefined when the loader is too old to say, or there is none */
export function readDriverLog(log: string): OpenedDriver | undefined {
  const opened = /Using "(.+)" with driver: "(?:.*[\\/])?([^"\\/]+)"/.exec(log)
  return opened === null ? undefined : { name: opened[1]!.trim(), library: opened[2]! }
}

export function isSoftware({ name, library }: OpenedDriver): boolean {
  return softwareDriver.test(library) || softwareName.test(name)
}
