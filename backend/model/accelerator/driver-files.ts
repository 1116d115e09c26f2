import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

type Environment = Readonly<Record<string, string | undefined>>

/** Folders in which the Vulkan loader looks for drivers (LoaderDriverInterface.md of KhronosGroup/Vulkan-Loader). */
const usualFolders = [
  '/etc/vulkan/icd.d',
  '/usr/local/etc/vulkan/icd.d',
  '/usr/local/share/vulkan/icd.d',
  '/usr/share/vulkan/icd.d',
]

/** Where container platforms and NixOS put drivers, which the loaders of other systems do not look into. */
const furtherFolders = [
  '/usr/local/nvidia/share/vulkan/icd.d',
  '/run/opengl-driver/share/vulkan/icd.d',
]

/** Settings with which the operator names drivers. */
const driverSettings = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES']

/** Folders of libraries, besides those of LD_LIBRARY_PATH. */
const libraryFolders = [
  '/lib',
  '/lib64',
  '/usr/lib',
  '/usr/lib64',
  '/usr/local/lib',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/run/opengl-driver/lib',
]

const loader = 'libvulkan.so.1'

/**
 * Registers NVIDIA's driver where nothing else does: container platforms mount its libraries, but may leave out that file
 * (NVIDIA/nvidia-container-toolkit#191).
 */
const ownManifest = fileURLToPath(new URL('nvidia-icd.json', import.meta.url))
const nvidiaLibrary = 'libGLX_nvidia.so.0'

/** Libraries of the system that NVIDIA's driver loads, with or without a display, and Debian's packages of them. */
const neededByNvidia = [
  ['libEGL.so.1', 'libegl1'],
  ['libX11.so.6', 'libx11-6'],
  ['libXext.so.6', 'libxext6'],
] as const

/** What is asked about the file system, for tests. */
interface Files {
  readonly exists: (path: string) => boolean
  readonly list: (folder: string) => readonly string[]
  /** @throws {Error} when it cannot be read */
  readonly read: (path: string) => string
}

const realFiles: Files = {
  exists: existsSync,
  read: (path) => readFileSync(path, 'utf8'),
  list(folder) {
    try {
      return readdirSync(folder)
    } catch {
      return []
    }
  },
}

/**
 * Variables with which the loader also finds drivers in places where it does not look by itself; none on systems other
 * than Linux.
 */
export function furtherDrivers(
  environment: Environment,
  files: Files = realFiles,
  platform: string = process.platform,
): Readonly<Record<string, string>> {
  if (platform !== 'linux' || isSaid(environment)) return {}
  const found = [
    ...furtherFolders.flatMap((folder) => manifestsIn(folder, files)),
    ...unregistered(environment, files),
  ]
  return found.length === 0 ? {} : { VK_ADD_DRIVER_FILES: found.join(':') }
}

/** A manifest for a driver that is installed and not registered. */
function unregistered(environment: Environment, files: Files): string[] {
  const isRegistered = registeredIn(files).some((manifest) => manifest.includes('nvidia'))
  return isRegistered || !isInstalledIn(environment, files, nvidiaLibrary) ? [] : [ownManifest]
}

/** Manifests in all folders, those that the loader does not look into included. */
function registeredIn(files: Files): string[] {
  return [...usualFolders, ...furtherFolders].flatMap((folder) => manifestsIn(folder, files))
}

function isInstalledIn(environment: Environment, files: Files, library: string): boolean {
  const folders = [...pathsIn(environment['LD_LIBRARY_PATH']), ...libraryFolders]
  return folders.some((folder) => files.exists(join(folder, library)))
}

/**
 * What Linux lacks to find any card, and the remedy, for the operator; undefined when nothing is known to be missing.
 * @param environment of the process that looks for one
 */
export function missingDriver(
  environment: Environment,
  files: Files = realFiles,
  platform: string = process.platform,
): string | undefined {
  if (platform !== 'linux') return undefined
  const isInstalled = (library: string) => isInstalledIn(environment, files, library)
  if (!isInstalled(loader)) {
    return `${loader}, the Vulkan loader, is not installed (Debian and Ubuntu: libvulkan1)`
  }
  if (isSaid(environment)) {
    const named = driverSettings.flatMap((name) => pathsIn(environment[name]))
    return missingFile(environment, files) ?? missingLibrary(named, isInstalled, files)
  }
  const known = [...registeredIn(files), ...unregistered(environment, files)]
  const library = missingLibrary(known, isInstalled, files)
  if (library !== undefined) return library
  if (known.some((manifest) => manifest.includes('nvidia'))) return missingForNvidia(isInstalled)
  if (known.length > 0) return undefined
  return (
    `no Vulkan driver is registered in ${usualFolders.join(', ')}; ` +
    "NVIDIA's containers have one with NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics"
  )
}

/** Of the drivers that the operator names. */
function missingFile(environment: Environment, { exists }: Files): string | undefined {
  for (const name of driverSettings) {
    const missing = pathsIn(environment[name]).find((path) => !exists(path))
    if (missing !== undefined) return `${name} names ${missing}, which does not exist`
  }
  return undefined
}

/** Whether drivers are registered of which not one has its library: only a part of a driver was installed, or given to a container. */
function missingLibrary(
  manifests: readonly string[],
  isInstalled: (library: string) => boolean,
  files: Files,
): string | undefined {
  const libraries = manifests.map((manifest) => ({ manifest, path: libraryOf(manifest, files) }))
  const isThere = (path: string) => (path.startsWith('/') ? files.exists(path) : isInstalled(path))
  const missing = libraries.find(({ path }) => path !== undefined && !isThere(path))
  const isOnly = libraries.every(({ path }) => path !== undefined && !isThere(path))
  if (missing === undefined || !isOnly) return undefined
  return `${missing.manifest} registers ${missing.path}, which is not there: install the whole driver, or give it to this container`
}

/** @returns a path, or a name that is looked for as other libraries are; undefined when the manifest does not say */
function libraryOf(manifest: string, { read }: Files): string | undefined {
  try {
    const { ICD } = JSON.parse(read(manifest)) as { ICD?: { library_path?: unknown } }
    const path = ICD?.library_path
    if (typeof path !== 'string') return undefined
    return path.includes('/') ? resolve(dirname(manifest), path) : path
  } catch {
    return undefined
  }
}

function pathsIn(list: string | undefined): string[] {
  return (list ?? '').split(':').filter((path) => path !== '')
}

function missingForNvidia(isInstalled: (library: string) => boolean): string | undefined {
  const missing = neededByNvidia.filter(([library]) => !isInstalled(library))
  if (missing.length === 0) return undefined
  const libraries = missing.map(([library]) => library).join(', ')
  const packages = missing.map(([, name]) => name).join(' ')
  return `NVIDIA's driver needs ${libraries} (Debian and Ubuntu: ${packages})`
}

function isSaid(environment: Environment): boolean {
  return driverSettings.some((name) => (environment[name] ?? '') !== '')
}

function manifestsIn(folder: string, { list }: Files): string[] {
  return list(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(folder, name))
}
