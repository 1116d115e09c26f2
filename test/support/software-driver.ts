import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

/** Variables under which a process finds the driver, or why there is none. */
type SoftwareDriver =
  { readonly environment: Readonly<Record<string, string>> } | { readonly problem: string }

/** Mesa's Vulkan driver that computes on the CPU, and the loader that every Vulkan program uses. */
const packages = ['mesa-vulkan-drivers', 'libvulkan1']

/** Releases of Debian whose packages work, and where the driver is: 22.3 of Debian 12 itself is too old. */
const releases: Readonly<Record<string, { suites: readonly string[]; driverFrom: string }>> = {
  '12': { suites: ['bookworm', 'bookworm-backports'], driverFrom: 'bookworm-backports' },
  '13': { suites: ['trixie'], driverFrom: 'trixie' },
}

/** Kept between runs: the packages have 12 MB. */
const folder = resolve('node_modules/.cache/software-vulkan-driver')

/** Milliseconds for apt, which a network that swallows packets must not hold up. */
const patienceMs = 60_000

/**
 * Mesa's lavapipe, unpacked from two Debian packages on the first call; nothing is installed, and no rights are needed
 * beyond those of the folder.
 */
export async function softwareDriver(): Promise<SoftwareDriver> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return { problem: `not unpacked on ${process.platform} ${process.arch}` }
  }
  try {
    if (!existsSync(folder)) await unpack()
    return { environment: await environmentOf(folder) }
  } catch (error) {
    return { problem: `its packages cannot be had: ${(error as Error).message.split('\n')[0]!}` }
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

async function unpack(): Promise<void> {
  const work = `${folder}.${process.pid}`
  try {
    const release = releases[await debianVersion()]
    if (release === undefined) throw new Error('this is neither Debian 12 nor 13')
    await mkdir(join(work, 'lists/partial'), { recursive: true })
    await mkdir(join(work, 'cache/archives/partial'), { recursive: true })
    const sources = release.suites.map(
      (suite) =>
        `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian ${suite} main\n`,
    )
    await writeFile(join(work, 'sources.list'), sources.join(''))
    await apt(work, ['update'])
    await apt(work, ['download', `${packages[0]!}/${release.driverFrom}`, packages[1]!])
    const root = join(work, 'root')
    for (const name of (await readdir(work)).filter((file) => file.endsWith('.deb'))) {
      await run('dpkg-deb', ['-x', join(work, name), root])
    }
    await rename(root, folder).catch((error: NodeJS.ErrnoException) => {
      // Another test run was faster.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function debianVersion(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8')
  return /^ID=debian$/m.test(text) ? (/^VERSION_ID="(\d+)"$/m.exec(text)?.[1] ?? '') : ''
}

/** With lists and cache of its own, so that the system's are neither needed nor touched. */
function apt(work: string, command: readonly string[]): Promise<unknown> {
  const own = [
    `Dir::Etc::sourcelist=${work}/sources.list`,
    'Dir::Etc::sourceparts=-',
    `Dir::State::lists=${work}/lists`,
    `Dir::Cache=${work}/cache`,
    `APT::Sandbox::User=${process.env['USER'] ?? 'root'}`,
  ]
  return run('apt-get', [...own.flatMap((option) => ['-o', option]), ...command], work)
}

function run(program: string, programArguments: readonly string[], cwd?: string): Promise<unknown> {
  return promisify(execFile)(program, programArguments, { cwd, timeout: patienceMs })
}
