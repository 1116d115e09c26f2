import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder } from '../../../shared/node/files/make-folder.ts'

const markName = /^([\da-f-]{36})\.lock$/

/** Milliseconds after which a file that is not a mark yet will not become one: that takes microseconds. */
const abandonedMs = 60_000

/** Marks of this process. Without a place here, the lock of one that nobody uses any more would end with its garbage. */
const held = new Set<ProcessMark>()

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

  /** @param folder created if missing; marks of processes that have ended are removed from it */
  constructor(folder: string) {
    this.#folder = folder
    makeFolder(folder, 0o700)
    const unlocked = `${this.#pathOf(this.id)}.new`
    this.#file = new DatabaseSync(unlocked)
    // A journal on disk would be a second file.
    this.#file.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    // The file never exists under its final name without its lock.
    renameSync(unlocked, this.#pathOf(this.id))
    held.add(this)
    this.#sweep()
  }

  /** Whether the process with this mark has ended. */
  isGone(id: string): boolean {
    if (id === this.id) return false
    const path = this.#pathOf(id)
    if (!markName.test(`${id}.lock`) || !existsSync(path)) return true
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
    held.delete(this)
    this.#file.close()
    rmSync(this.#pathOf(this.id), { force: true })
  }

  #sweep(): void {
    for (const name of readdirSync(this.#folder)) {
      const id = markName.exec(name)?.[1]
      if (id !== undefined) this.isGone(id)
      else removeAbandoned(join(this.#folder, name))
    }
  }

  #pathOf(id: string): string {
    return join(this.#folder, `${id}.lock`)
  }
}

/** Removes what a process left that was killed while it made its mark. */
function removeAbandoned(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found !== undefined && Date.now() - found.mtimeMs > abandonedMs) rmSync(path, { force: true })
}
