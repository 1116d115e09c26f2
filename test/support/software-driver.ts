import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Release, unpackPackages } from './unpacked-packages.ts'

/** Variables under which a process finds the driver, or why there is none. */
type SoftwareDriver =
  { readonly environment: Readonly<Record<string, string>> } | { readonly problem: string }

/**
 * Mesa's Vulkan driver that computes on the CPU, and the loader that every Vulkan program uses. The driver of Debian 12
 * itself, 22.3, is too old.
 */
const releases: Readonly<Record<string, Release>> = {
  '12': {
    suites: ['bookworm', 'bookworm-backports'],
    packages: ['mesa-vulkan-drivers/bookworm-backports', 'libvulkan1'],
  },
  '13': { suites: ['trixie'], packages: ['mesa-vulkan-drivers/trixie', 'libvulkan1'] },
}

/** Mesa's lavapipe, unpacked from two Debian packages. */
export async function softwareDriver(): Promise<SoftwareDriver> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return { problem: `not unpacked on ${process.platform} ${process.arch}` }
  }
  try {
    const folder = await unpackPackages('software-vulkan-driver', releases)
    return { environment: await environmentOf(folder) }
  } catch (error) {
    return { problem: (error as Error).message }
  }
}

async function environmentOf(root: string): Promise<Record<string, string>> {
  const manifests = join(root, 'usr/share/vulkan/icd.d')
  const lavapipe = (await readdir(manifests)).find((name) => name.startsWith('lvp_icd'))
  if (lavapipe === undefined) throw new Error('the package has no lavapipe')
  const manifest = join(manifests, lavapipe)
  return {
    LD_LIBRARY_PATH: join(root, 'usr/lib/x86_64-linux-gnu'),
    VK_DRIVER_FILES: manifest,
    // Its name in loaders before 1.3.207.
    VK_ICD_FILENAMES: manifest,
    XDG_RUNTIME_DIR: tmpdir(),
  }
}
