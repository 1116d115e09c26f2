import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'

/** Files through which Linux gives access to graphics cards: Mesa's drivers, NVIDIA's, and Windows' below WSL. */
const cardFile = /^\/dev\/(dri\/renderD\d+|nvidia\d+|dxg)$/

/** Whether this machine, or container, has a graphics card's file. Always true on systems other than Linux. */
export async function mayHaveCard(): Promise<boolean> {
  if (process.platform !== 'linux') return true
  const names = await Promise.all([list('/dev'), list('/dev/dri')])
  return names.flat().some((name) => cardFile.test(name))
}

/** Whether this process has a graphics card's file open. Always true on systems other than Linux. */
export async function holdsCard(): Promise<boolean> {
  if (process.platform !== 'linux') return true
  const open = await list('/proc/self/fd')
  const targets = await Promise.all(open.map((file) => readlink(file).catch(() => '')))
  return targets.some((target) => cardFile.test(target))
}

async function list(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.map((name) => join(folder, name))
}
