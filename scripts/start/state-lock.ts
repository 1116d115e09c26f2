import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { writePrivateFile } from '../../shared/node/private-file.ts'
import { readRunningAddress, runningFile } from '../../shared/node/running-address.ts'
import { StartError } from './start-error.ts'

/** A state folder that belongs to this process as long as it lives. */
export interface StateLock {
  /** Lets the other programs of this machine know where the product is. */
  publish(url: string): Promise<void>
  release(): Promise<void>
}

/**
 * Takes a state folder for this process by locking an empty database. The system releases the lock with the process,
 * however that ends.
 * @param stateDir an existing folder
 * @throws {StartError} naming the address of the instance that already runs there
 */
export async function lockState(stateDir: string): Promise<StateLock> {
  const database = new DatabaseSync(join(stateDir, 'start.lock'), { timeout: 0 })
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch {
    database.close()
    throw new StartError(takenMessage(stateDir))
  }
  const file = runningFile(stateDir)
  await rm(file, { force: true })
  return {
    publish: (url) => writePrivateFile(file, `${JSON.stringify({ url, pid: process.pid })}\n`),
    async release() {
      await rm(file, { force: true })
      database.close()
    },
  }
}

function takenMessage(stateDir: string): string {
  const other = readRunningAddress(stateDir)
  const where =
    other === undefined
      ? 'is being started by another npm start'
      : `runs already at ${other.url} (process ${other.pid})`
  return `Describe Server ${where}, with the state folder ${stateDir}. To run a second one, set STATE_DIR, PORT and BACKEND_PORT`
}
