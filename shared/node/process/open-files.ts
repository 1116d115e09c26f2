import { readFileSync } from 'node:fs'

/**
 * How many files, connections included, this process may have open at once (`ulimit -n`).
 * @returns undefined when it is unknown
 */
export function openFilesLimit(): number | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8')
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1]
    return soft === undefined ? undefined : soft === 'unlimited' ? Infinity : Number(soft)
  } catch {
    // Only Linux reports it.
    return undefined
  }
}
