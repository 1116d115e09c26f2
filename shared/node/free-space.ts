import { statfs } from 'node:fs/promises'
import { formatBytes } from '../progress/amounts.ts'

/** Bytes that stay free beside what is written: small files, and what a file system keeps for itself. */
const spareBytes = 64 * 1024 * 1024

/**
 * Whether `bytes` fit into an existing folder.
 * @returns what is missing, for people: the folder, what is needed and what is free; undefined when they fit
 */
export async function missingSpace(folder: string, bytes: number): Promise<string | undefined> {
  const { bavail, bsize } = await statfs(folder)
  const [needed, free] = [bytes + spareBytes, bavail * bsize]
  if (free >= needed) return undefined
  return `${formatBytes(needed)} are needed in ${folder}, and ${formatBytes(free)} are free`
}
