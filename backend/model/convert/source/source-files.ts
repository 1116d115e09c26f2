import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { weightFileNames } from '../../../checkpoint/checkpoint.ts'
import { modelConfigFile } from '../../config/model-config.ts'

/** A file that a model folder is made from, as the file system describes it. */
export interface FileState {
  readonly name: string
  readonly size: number
  /** Milliseconds. While size and time are unchanged, the content is assumed to be unchanged too. */
  readonly mtimeMs: number
}

/** One file that a model folder was made from. */
export const sourceFileSchema = z.object({
  name: z.string(),
  size: z.number(),
  mtimeMs: z.number(),
  sha256: z.string(),
})
export type SourceFile = z.infer<typeof sourceFileSchema>

/** Bytes read at a time to be hashed. */
const readBytes = 1024 * 1024

/** The files of a checkpoint folder that determine its graphs and weights. */
export async function listSources(checkpointDir: string): Promise<FileState[]> {
  const names = [modelConfigFile, ...(await weightFileNames(checkpointDir))]
  return Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs } = await stat(join(checkpointDir, name))
      return { name, size, mtimeMs }
    }),
  )
}

/** Whether the checkpoint folder still matches `sources`; a file is only read if its time changed. */
export async function sourcesUnchanged(
  checkpointDir: string,
  sources: readonly SourceFile[],
): Promise<boolean> {
  const found = await listSources(checkpointDir)
  if (found.map(({ name }) => name).join() !== sources.map(({ name }) => name).join()) return false
  for (const [i, { name, size, mtimeMs, sha256 }] of sources.entries()) {
    if (found[i]!.size !== size) return false
    if (found[i]!.mtimeMs !== mtimeMs && (await sha256OfFile(join(checkpointDir, name))) !== sha256)
      return false
  }
  return true
}

/** Reads into one of two buffers while the other is hashed: new ones for each piece would be garbage of the file's size. */
export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'r')
  try {
    let [reading, spare] = [new Uint8Array(readBytes), new Uint8Array(readBytes)]
    let next = file.read(reading)
    for (let { bytesRead } = await next; bytesRead > 0; { bytesRead } = await next) {
      signal?.throwIfAborted()
      const piece = reading.subarray(0, bytesRead)
      ;[reading, spare] = [spare, reading]
      next = file.read(reading)
      hash.update(piece)
    }
    return hash.digest('hex')
  } finally {
    await file.close()
  }
}
