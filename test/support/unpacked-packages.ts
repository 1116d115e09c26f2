import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

/** Kept between runs: some packages have 12 MB. */
const cache = resolve('node_modules/.cache')

/** Milliseconds for apt, which a network that swallows packets must not hold up. */
const patienceMs = 60_000

export interface Release {
  /** Where apt looks. */
  readonly suites: readonly string[]
  /** The packages, as `name` or `name/suite`. */
  readonly packages: readonly string[]
}

/**
 * Unpacks packages of Debian on the first call; nothing is installed, and no rights are needed beyond those of the folder.
 * @param name of the folder they are kept in
 * @param releases what to take, by the version of Debian
 * @returns the folder with `usr` in it
 * @throws Error with the reason why they cannot be had
 */
export async function unpackPackages(
  name: string,
  releases: Readonly<Record<string, Release>>,
): Promise<string> {
  const folder = join(cache, name)
  try {
    if (!existsSync(folder)) await unpack(folder, releases)
    return folder
  } catch (error) {
    // What a program says last is why it failed.
    const reason = (error as Error).message.trim().split('\n').at(-1)!
    throw new Error(`its packages cannot be had: ${reason}`, { cause: error })
  }
}

async function unpack(folder: string, releases: Readonly<Record<string, Release>>): Promise<void> {
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
    await writeFile(join(work, 'status'), '')
    await apt(work, ['update'])
    await apt(work, ['download', ...release.packages])
    const root = join(work, 'root')
    for (const file of (await readdir(work)).filter((one) => one.endsWith('.deb'))) {
      await run('dpkg-deb', ['-x', join(work, file), root])
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

/** With lists and cache of its own, so that the system's are neither needed nor touched, as if nothing were installed. */
function apt(work: string, command: readonly string[]): Promise<unknown> {
  const own = [
    `Dir::Etc::sourcelist=${work}/sources.list`,
    'Dir::Etc::sourceparts=-',
    `Dir::State::lists=${work}/lists`,
    `Dir::State::status=${work}/status`,
    `Dir::Cache=${work}/cache`,
    `APT::Sandbox::User=${process.env['USER'] ?? 'root'}`,
  ]
  return run('apt-get', [...own.flatMap((option) => ['-o', option]), ...command], work)
}

function run(program: string, programArguments: readonly string[], cwd?: string): Promise<unknown> {
  return promisify(execFile)(program, programArguments, { cwd, timeout: patienceMs })
}
