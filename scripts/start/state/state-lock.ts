import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { tryLock } from '../../../shared/node/files/file-lock.ts'
import { writePrivateFile } from '../../../shared/node/files/private-file.ts'
import { readRunningAddress, runningFile } from '../../../shared/node/running-address.ts'
import { StartError } from '../start-error.ts'

/** A state folder that belongs to this process as long as it lives. */
export interface StateLock {
  /** Lets the other programs of this machine know where the product is. */
  publish(url: string): Promise<void>
  release(): Promise<void>
}

/**
 * Takes a state folder for this process, until it ends.
 * @param stateDir an existing folder
 * @throws {StartError} naming the address of the instance that already runs there
 */
export async function lockState(stateDir: string): Promise<StateLock> {
  const lock = tryLock(join(stateDir, 'start.lock'))
  if (lock === undefined) throw new StartError(takenMessage(stateDir))
  const file = runningFile(stateDir)
  await rm(file, { force: true })
  return {
    publish: (url) => writePrivateFile(file, `${JSON.stringify({ url, pid: process.pid })}\n`),
    async release() {
      await rm(file, { force: true })
      lock.release()
    },
  }
}

function takenMessage(stateDir: string): string {
  const other = readRunningAddress(stateDir)
  const where =
    other === undefined
      ? 'is being started by another npm start'
      : `is already running at ${other.url} (process ${other.pid})`
  return `Describe Server ${where}, with the state folder ${stateDir}. To run a second one, set STATE_DIR, PORT and BACKEND_PORT`
}
