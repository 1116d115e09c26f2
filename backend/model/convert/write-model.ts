import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../../../shared/node/files/make-folder.ts'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import { lockConversion } from './conversion-lock.ts'
import { convertInto, type Conversion } from './convert-into.ts'
import { journalFile } from './tasks/journal.ts'

/**
 * Writes the weights of a model into a partial folder, which then replaces `folder` in one step. What an interruption or a full
 * disk leaves there is continued by the next call.
 * @param isReady asked once no other process is converting into the folder: one may just have done it
 * @throws {CheckpointError} when there is not enough space, or weights or files are unusable
 */
export async function writeModel(
  folder: string,
  conversion: Conversion,
  isReady: () => Promise<boolean>,
): Promise<void> {
  const { report, signal } = conversion
  const partial = `${folder}.partial`
  const lock = await lockConversion(folder, { report, signal })
  try {
    if (await isReady()) {
      await rm(partial, { recursive: true, force: true })
      return
    }
    makeFolder(partial)
    await convertInto(partial, conversion)
    await rm(folder, { recursive: true, force: true })
    await rename(partial, folder)
    await rm(join(folder, journalFile), { force: true })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof CheckpointError) throw error
    const problem = await problemOf(error as Error, partial)
    throw new CheckpointError(`cannot convert into ${partial}: ${problem}`, { cause: error })
  } finally {
    lock.release()
  }
}

/** A full disk is an interruption. Other problems would only occur again, so nothing is kept. */
async function problemOf({ message }: Error, partial: string): Promise<string> {
  if (message.includes('ENOSPC')) {
    return 'the disk is full; the next start goes on from here'
  }
  await rm(partial, { recursive: true, force: true })
  return message
}
