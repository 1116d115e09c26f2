import { readFile, readdir } from 'node:fs/promises'
import { expect, it } from 'vitest'

/** Cells of a table's row, in which `\|` is a character. */
function cellsOf(row: string): number {
  return row.replaceAll('\\|', '').split('|').length
}

it('every row of a table in the documents has the cells of its head', async () => {
  const guides = (await readdir('docs')).filter((name) => name.endsWith('.md'))
  const uneven: string[] = []
  let rows = 0
  for (const path of ['README.md', ...guides.map((name) => `docs/${name}`)]) {
    let head: string | undefined
    for (const line of (await readFile(path, 'utf8')).split('\n')) {
      if (!line.startsWith('|')) head = undefined
      else if (head === undefined) head = line
      else {
        rows += 1
        if (cellsOf(line) !== cellsOf(head)) uneven.push(`${path}: ${line}`)
      }
    }
  }
  expect(rows).toBeGreaterThan(0)
  expect(uneven).toEqual([])
})
