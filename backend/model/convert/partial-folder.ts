import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { takeLock } from '../../../shared/node/lock-file.ts'
import { journalFile } from './journal.ts'

/**
 * Milliseconds without a line in the journal after which the conversion of another host, such as a container that
 * shares the folder, must be dead: a live one writes several a second.
 */
const abandonedAfterMs = 5 * 60 * 1_000

const retryMs = 500

/** Where what becomes `folder` is written until it is complete. */
export function partialFolderOf(folder: string): string {
  return `${folder}.partial`
}

/**
 * Makes the partial folder of `folder`, for this process alone. Waits while another process is converting into it.
 * @returns a function that gives it up
 */
export async function lockPartialFolder(
  folder: string,
  report: (line: string) => void,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const partial = partialFolderOf(folder)
  const lockFile = `${folder}.lock`
  let hasReported = false
  for (;;) {
    signal.throwIfAborted()
    await mkdir(partial, { recursive: true })
    const lock = await takeLock(lockFile, {
      isAbandoned: () => isAbandoned([lockFile, join(partial, journalFile)]),
    })
    if ('release' in lock) return lock.release
    if (!hasReported) report(`waiting for process ${lock.holder}, which converts into ${partial}`)
    hasReported = true
    await wait(retryMs, undefined, { signal })
  }
}

async function isAbandoned(files: readonly string[]): Promise<boolean> {
  const times = await Promise.all(
    files.map(async (file) => (await stat(file).catch(() => undefined))?.mtimeMs ?? 0),
  )
  return Date.now() - Math.max(...times) > abandonedAfterMs
}
