import { statfs } from 'node:fs/promises'
import { formatBytes } from '../../progress/amounts.ts'

/** Bytes kept free beyond what is written: for small files, and for what a file system reserves for itself. */
const spareBytes = 64 * 1024 * 1024

/**
 * Whether `bytes` fit into an existing folder.
 * @returns a message for people naming the folder, the space needed and the space free; undefined when the bytes fit
 */
export async function missingSpace(folder: string, bytes: number): Promise<string | undefined> {
  const [needed, free] = [bytes + spareBytes, await freeBytes(folder)]
  if (free >= needed) return undefined
  return `${formatBytes(needed)} are needed in ${folder}, and ${formatBytes(free)} are free`
}

/** Bytes that this user may still write into an existing folder. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
