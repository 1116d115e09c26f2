import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes a folder, and those it is in, unless they are there. Node's own `recursive: true` never returns where a parent
 * refuses a new folder by saying that there is no such file, as `/proc` does.
 * @param mode permissions of the folders that are made
 * @throws a system error that names the folder that cannot be made
 */
export function makeFolder(path: string, mode?: number): void {
  const folder = resolve(path)
  if (isFolder(folder)) return
  if (dirname(folder) !== folder) makeFolder(dirname(folder), mode)
  try {
    mkdirSync(folder, { mode })
  } catch (error) {
    // Another process may have been faster.
    if (!isFolder(folder)) throw error
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    // What is wrong shows when it is made.
    return false
  }
}
