import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder } from '../../../shared/node/files/make-folder.ts'

/**
 * Marks this process as running, visible to all others on the same state folder, by a lock on a file. The system
 * releases the lock when the process ends, however that happens. Process ids would not do: containers that share a
 * folder do not share them, and they are reused.
 */
export class ProcessMark {
  readonly id = crypto.randomUUID()
  readonly #folder: string
  /** Holds the lock. */
  readonly #file: DatabaseSync

  /** @param folder created if missing */
  constructor(folder: string) {
    this.#folder = folder
    makeFolder(folder, 0o700)
    const unlocked = `${this.#pathOf(this.id)}.new`
    this.#file = new DatabaseSync(unlocked)
    this.#file.exec('BEGIN EXCLUSIVE')
    // The file never exists under its final name without its lock.
    renameSync(unlocked, this.#pathOf(this.id))
  }

  /** Whether the process with this mark has ended. */
  isGone(id: string): boolean {
    if (id === this.id) return false
    const path = this.#pathOf(id)
    if (!/^[\da-f-]{36}$/.test(id) || !existsSync(path)) return true
    const file = new DatabaseSync(path, { timeout: 0 })
    try {
      file.exec('BEGIN EXCLUSIVE')
    } catch {
      return false
    } finally {
      file.close()
    }
    rmSync(path, { force: true })
    return true
  }

  /** From now on others consider this process gone. */
  remove(): void {
    this.#file.close()
    rmSync(this.#pathOf(this.id), { force: true })
  }

  #pathOf(id: string): string {
    return join(this.#folder, `${id}.lock`)
  }
}
