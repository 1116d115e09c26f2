import { readFileSync } from 'node:fs'

/**
 * How many files, connections among them, this process may have open at once (`ulimit -n`).
 * @returns undefined where it cannot be known
 */
export function openFilesLimit(): number | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8')
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1]
    return soft === undefined ? undefined : soft === 'unlimited' ? Infinity : Number(soft)
  } catch {
    // Only Linux tells.
    return undefined
  }
}
