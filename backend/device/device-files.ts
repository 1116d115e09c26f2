import { access, constants, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'

/** Files through which Linux gives access to graphics cards: Mesa's drivers, NVIDIA's, and Windows' below WSL. */
const cardFile = /^\/dev\/(dri\/renderD\d+|nvidia\d+|dxg)$/

/** Makers of cards that can run the model, by their number in the PCI standard. */
const makers: Readonly<Record<string, string>> = {
  '0x10de': 'NVIDIA',
  '0x1002': 'AMD',
  '0x8086': 'Intel',
}

/** How the PCI standard begins the class of a display controller. */
const displayClass = '0x03'

/** What is asked about the file system, for tests. */
interface Files {
  readonly list: (folder: string) => Promise<readonly string[]>
  /** @returns '' if there is no such file */
  readonly read: (path: string) => Promise<string>
  /** Whether this process may read and write it. */
  readonly mayOpen: (path: string) => Promise<boolean>
}

const realFiles: Files = {
  list: (folder) => readdir(folder).catch(() => []),
  read: (path) => readFile(path, 'utf8').catch(() => ''),
  mayOpen: (path) =>
    access(path, constants.R_OK | constants.W_OK).then(
      () => true,
      () => false,
    ),
}

/**
 * Why Linux lets this process open no graphics card, and the remedy, for the operator; undefined when it may open one,
 * and on other systems.
 */
export async function missingCard(
  files: Files = realFiles,
  platform: string = process.platform,
): Promise<string | undefined> {
  if (platform !== 'linux') return undefined
  const found = await cardFiles(files)
  if (found.length === 0) {
    const maker = await makerOfCard(files)
    if (maker === undefined) return 'this machine has none'
    return `this machine has one of ${maker}, but no file of it in /dev: its driver is not loaded, or this container was not given the card`
  }
  const mayOpen = await Promise.all(found.map(files.mayOpen))
  if (mayOpen.includes(true)) return undefined
  return `this user may not open ${found.join(', ')}: \`ls -l\` shows the group that may, usually render (usermod -aG render USER)`
}

async function cardFiles({ list }: Files): Promise<string[]> {
  const paths = await Promise.all(
    ['/dev', '/dev/dri'].map(async (folder) =>
      (await list(folder)).map((name) => join(folder, name)),
    ),
  )
  return paths.flat().filter((path) => cardFile.test(path))
}

/** Of a card that the machine has, whether or not a driver is loaded; containers see it, too. */
async function makerOfCard({ list, read }: Files): Promise<string | undefined> {
  const root = '/sys/bus/pci/devices'
  for (const device of await list(root)) {
    const kind = await read(join(root, device, 'class'))
    const maker = makers[(await read(join(root, device, 'vendor'))).trim()]
    if (kind.startsWith(displayClass) && maker !== undefined) return maker
  }
  return undefined
}

/** Whether this process has a graphics card's file open. Always true on systems other than Linux. */
export async function holdsCard(): Promise<boolean> {
  if (process.platform !== 'linux') return true
  const folder = '/proc/self/fd'
  const open = await realFiles.list(folder)
  const targets = await Promise.all(
    open.map((file) => readlink(join(folder, file)).catch(() => '')),
  )
  return targets.some((target) => cardFile.test(target))
}
