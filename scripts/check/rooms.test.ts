import { readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { expect, it } from 'vitest'

/** More sources in one folder are a hall, in which nobody finds anything. Tests and declarations do not count. */
const mostSources = 15

const trees = ['backend', 'cli', 'edge', 'scripts', 'shared', 'test']

function isSource(path: string): boolean {
  return /\.(ts|mjs)$/.test(path) && !/\.(test|d)\.ts$/.test(path)
}

it('no folder has more sources than one can take in', async () => {
  const counts = new Map<string, number>()
  for (const tree of trees) {
    const paths = await readdir(tree, { recursive: true })
    for (const path of paths.filter(isSource)) {
      const folder = dirname(`${tree}/${path}`)
      counts.set(folder, (counts.get(folder) ?? 0) + 1)
    }
  }
  expect(counts.get('backend/engine/turns')).toBeGreaterThan(0)
  expect([...counts].filter(([, count]) => count > mostSources)).toEqual([])
})
