import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeFolder } from '../../../shared/node/files/make-folder.ts'
import { tryLock, type FileLock } from '../../../shared/node/files/file-lock.ts'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'

/** Milliseconds between two attempts. */
const retryMs = 500

/** Milliseconds between two lines about the wait: often enough that neither people nor the watchdog notice silence. */
const reportMs = 60_000

interface WaitOptions {
  readonly report: (line: string) => void
  readonly signal: AbortSignal | undefined
}

/**
 * Makes this process the only one that converts into `folder`, even if others share the disk. Waits for another one
 * that does; if that one dies, its lock is free.
 * @throws {CheckpointError} when the folder's parent cannot be written
 */
export async function lockConversion(
  folder: string,
  { report, signal }: WaitOptions,
): Promise<FileLock> {
  await orUnwritable(folder, () => makeFolder(dirname(folder)))
  let reportedAt = -Infinity
  for (;;) {
    const lock = await orUnwritable(folder, () => tryLock(`${folder}.lock`))
    if (lock !== undefined) return lock
    if (performance.now() - reportedAt >= reportMs) {
      report(`waiting for another process that converts into ${folder}`)
      reportedAt = performance.now()
    }
    await delay(retryMs, undefined, signal && { signal })
  }
}

async function orUnwritable<Result>(
  folder: string,
  action: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await action()
  } catch (cause) {
    const message = `cannot convert: ${dirname(folder)} cannot be written (${(cause as Error).message})`
    throw new CheckpointError(message, { cause })
  }
}
