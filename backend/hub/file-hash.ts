import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { HubFile } from './list-model.ts'

/** Bytes read at a time. */
const readBytes = 1024 * 1024

/** The hash of a file on disk, computed the way the hub does. */
export async function hashFile(
  file: string,
  { bytes, hash }: Pick<HubFile, 'bytes' | 'hash'>,
  signal: AbortSignal,
): Promise<string> {
  const result = createHash(hash.algorithm === 'sha256' ? 'sha256' : 'sha1')
  // Git hashes a blob preceded by its type and length (git-scm.com/book, "Git Objects").
  if (hash.algorithm === 'git-sha1') result.update(`blob ${bytes}\0`)
  await pipeline(createReadStream(file, { highWaterMark: readBytes }), result, { signal })
  return result.digest('hex')
}
