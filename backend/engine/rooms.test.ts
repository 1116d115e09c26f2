import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

/** More files in one folder are a hall, in which nobody finds anything. */
const mostFiles = 15

describe('backend/engine', () => {
  it('has no folder with more files than one can take in', async () => {
    const entries = await readdir(import.meta.dirname, { recursive: true, withFileTypes: true })
    const counts = new Map<string, number>()
    for (const entry of entries.filter((one) => one.isFile())) {
      counts.set(entry.parentPath, (counts.get(entry.parentPath) ?? 0) + 1)
    }
    const halls = [...counts].filter(([, count]) => count > mostFiles)
    expect(counts.get(join(import.meta.dirname, 'turns'))).toBeGreaterThan(0)
    expect(halls).toEqual([])
  })
})
