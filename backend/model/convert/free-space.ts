import { statfs } from 'node:fs/promises'
import { formatBytes } from '../../../shared/progress/amounts.ts'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'

/** Bytes beside the weights: graphs, the manifest, and what a file system keeps for itself. */
const spareBytes = 64 * 1024 * 1024

/** @throws {CheckpointError} naming the folder, what is needed and what is free */
export async function requireSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const [needed, free] = [bytes + spareBytes, bavail * bsize]
  if (free >= needed) return
  throw new CheckpointError(
    `converting the weights needs ${formatBytes(needed)} in ${folder}, and ${formatBytes(free)} are free`,
  )
}
