import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import * as z from 'zod'
import { weightFileNames } from '../../checkpoint/checkpoint.ts'
import { modelConfigFile } from '../config/model-config.ts'

/** One file that a model folder was made from. */
export const sourceFileSchema = z.object({
  name: z.string(),
  size: z.number(),
  /** Milliseconds. While size and time are unchanged, the hash is assumed to be unchanged too. */
  mtimeMs: z.number(),
  sha256: z.string(),
})
export type SourceFile = z.infer<typeof sourceFileSchema>

/** Hashes the files of a checkpoint folder that determine its graphs and weights. */
export async function describeSources(
  checkpointDir: string,
  signal?: AbortSignal,
): Promise<SourceFile[]> {
  const sources: SourceFile[] = []
  for (const name of [modelConfigFile, ...(await weightFileNames(checkpointDir))]) {
    const file = join(checkpointDir, name)
    const { size, mtimeMs } = await stat(file)
    sources.push({ name, size, mtimeMs, sha256: await sha256OfFile(file, signal) })
  }
  return sources
}

/** Whether the checkpoint folder still matches `sources`; a file is only read if its time changed. */
export async function sourcesUnchanged(
  checkpointDir: string,
  sources: readonly SourceFile[],
): Promise<boolean> {
  const names = [modelConfigFile, ...(await weightFileNames(checkpointDir))]
  if (names.join() !== sources.map(({ name }) => name).join()) return false
  for (const source of sources) {
    const file = join(checkpointDir, source.name)
    const { size, mtimeMs } = await stat(file)
    if (size !== source.size) return false
    if (mtimeMs !== source.mtimeMs && (await sha256OfFile(file)) !== source.sha256) return false
  }
  return true
}

async function sha256OfFile(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash, { signal })
  return hash.digest('hex')
}
