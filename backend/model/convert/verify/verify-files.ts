import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { checksumOf } from '../../../graph/checksum.ts'
import type { FileChecksums, FilePart } from '../../../graph/weights-file.ts'

/** Parts read at the same time: as many as Node has threads for it. Each takes up to 16 MB. */
const partsAtOnce = 4

/** What happens around each part that is compared. */
export interface CheckSteps {
  /** Awaited before a part is read. */
  readonly before?: () => Promise<void>
  /** Called with the bytes of each part that was compared. */
  readonly onChecked?: (bytes: number) => void
}

/**
 * Compares files with their checksums. What is read here stays in the page cache, so
 * loading the files meanwhile or afterwards does not read from the disk again if memory suffices.
 * @returns a description of the first damage found, for the operator; undefined when every byte is as it was written
 */
export async function findDamage(
  folder: string,
  files: Readonly<Record<string, FileChecksums>>,
  signal: AbortSignal,
  steps: CheckSteps = {},
): Promise<string | undefined> {
  for (const [name, file] of Object.entries(files)) {
    const damage = await damageOf(join(folder, name), file, { signal, steps })
    if (damage !== undefined) return `${name} ${damage}`
  }
  return undefined
}

async function damageOf(
  file: string,
  { bytes, parts }: FileChecksums,
  { signal, steps }: Omit<CheckOptions, 'most'>,
): Promise<string | undefined> {
  try {
    const handle = await open(file, 'r')
    try {
      const { size } = await handle.stat()
      if (size !== bytes) return `has ${size} bytes instead of ${bytes}`
      const [first] = await damagedParts(handle, parts, { most: 1, signal, steps })
      if (first === undefined) return undefined
      return `is damaged between byte ${first.offset} and ${first.offset + first.bytes}`
    } finally {
      await handle.close()
    }
  } catch (error) {
    signal.throwIfAborted()
    return `cannot be read (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`
  }
}

/** The parts that a file does not have as they were written; all of them when there is no such file. */
export async function findDamagedParts(
  file: string,
  parts: readonly FilePart[],
  signal: AbortSignal,
): Promise<readonly FilePart[]> {
  const handle = await open(file, 'r').catch(() => undefined)
  if (handle === undefined) return parts
  try {
    return await damagedParts(handle, parts, { most: Infinity, signal, steps: {} })
  } finally {
    await handle.close()
  }
}

interface CheckOptions {
  /** Stops after so many damaged parts. */
  readonly most: number
  readonly signal: AbortSignal
  readonly steps: CheckSteps
}

async function damagedParts(
  file: FileHandle,
  parts: readonly FilePart[],
  { most, signal, steps }: CheckOptions,
): Promise<readonly FilePart[]> {
  const damaged: FilePart[] = []
  const largest = parts.reduce((size, { bytes }) => Math.max(size, bytes), 0)
  let next = 0
  const work = async () => {
    const buffer = new Uint8Array(largest)
    while (next < parts.length && damaged.length < most) {
      signal.throwIfAborted()
      const part = parts[next++]!
      await steps.before?.()
      if (!(await isWhole(file, part, buffer))) damaged.push(part)
      steps.onChecked?.(part.bytes)
    }
  }
  // Wait for all of them: none may still be reading when the file is closed.
  const length = Math.min(partsAtOnce, parts.length)
  const results = await Promise.allSettled(Array.from({ length }, work))
  const failure = results.find((result) => result.status === 'rejected')
  if (failure !== undefined) throw failure.reason
  return damaged.toSorted((a, b) => a.offset - b.offset)
}

async function isWhole(
  file: FileHandle,
  { offset, bytes, checksum }: FilePart,
  buffer: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await file.read(buffer, done, bytes - done, offset + done)
    if (bytesRead === 0) return false
    done += bytesRead
  }
  return checksumOf(buffer.subarray(0, bytes)) === checksum
}
