import { access, constants } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { freeBytes } from '../../../shared/node/files/free-space.ts'
import { formatBytes } from '../../../shared/progress/amounts.ts'
import { temporaryFolderAdvice } from './file-problem.ts'
import { StartError } from '../start-error.ts'

/** Bytes that workerd's temporary databases may take: it uses 0.3 MB when it starts. */
const neededBytes = 8 * 1024 * 1024

/**
 * Makes sure that workerd can start: otherwise it ends with a stack trace that does not say why.
 * @throws {StartError} when there is not enough space
 * @throws a system error when the folder cannot be written
 */
export async function checkTemporaryFolder(): Promise<void> {
  const folder = tmpdir()
  await access(folder, constants.W_OK)
  const free = await freeBytes(folder)
  if (free >= neededBytes) return
  throw new StartError(
    `Only ${formatBytes(free)} are free in ${folder}, and workerd needs ${formatBytes(neededBytes)}. ${temporaryFolderAdvice}`,
  )
}
