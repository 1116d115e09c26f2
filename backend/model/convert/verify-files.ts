import { webcrypto } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { digestPartBytes, type FileDigest } from '../../graph/weights-file.ts'

/** Parts read and digested at the same time: as many as Node has threads for it. Each takes up to 16 MB. */
const partsAtOnce = 4

/**
 * Compares files with their digests, in parallel in Node's threads. What is read here stays in the page cache, so
 * loading the files afterwards does not read from the disk again if memory suffices.
 * @returns a description of the first damage found, for the operator; undefined when every byte is as it was written
 */
export async function findDamage(
  folder: string,
  files: Readonly<Record<string, FileDigest>>,
  signal?: AbortSignal,
): Promise<string | undefined> {
  for (const [name, digest] of Object.entries(files)) {
    const damage = await damageOf(join(folder, name), digest, signal)
    if (damage !== undefined) return `${name} ${damage}`
  }
  return undefined
}

async function damageOf(
  file: string,
  digest: FileDigest,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (error) {
    return `cannot be read (${(error as NodeJS.ErrnoException).code})`
  }
  try {
    const { size } = await handle.stat()
    if (size !== digest.bytes) return `has ${size} bytes instead of ${digest.bytes}`
    const part = await firstBadPart(handle, digest, signal)
    if (part === undefined) return undefined
    return `is damaged between byte ${part * digestPartBytes} and ${Math.min(size, (part + 1) * digestPartBytes)}`
  } finally {
    await handle.close()
  }
}

async function firstBadPart(
  file: FileHandle,
  digest: FileDigest,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  const bad: number[] = []
  let next = 0
  const work = async () => {
    const buffer = new Uint8Array(Math.min(digestPartBytes, digest.bytes))
    while (next < digest.parts.length && bad.length === 0) {
      signal?.throwIfAborted()
      const part = next++
      if (!(await isWhole(file, part, buffer, digest))) bad.push(part)
    }
  }
  // Wait for all of them: none may still be reading when the file is closed.
  const length = Math.min(partsAtOnce, digest.parts.length)
  const results = await Promise.allSettled(Array.from({ length }, work))
  const failure = results.find((result) => result.status === 'rejected')
  if (failure !== undefined) throw failure.reason
  return bad.length === 0 ? undefined : Math.min(...bad)
}

async function isWhole(
  file: FileHandle,
  part: number,
  buffer: Uint8Array<ArrayBuffer>,
  { bytes, parts }: FileDigest,
): Promise<boolean> {
  const position = part * digestPartBytes
  const length = Math.min(digestPartBytes, bytes - position)
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done)
    if (bytesRead === 0) return false
    done += bytesRead
  }
  const sha256 = await webcrypto.subtle.digest('SHA-256', buffer.subarray(0, length))
  return Buffer.from(sha256).toString('hex') === parts[part]
}
