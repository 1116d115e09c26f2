import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { markdownTable, writeSection } from '../performance/document.ts'
import type { BenchRow } from './measure.ts'

interface Report {
  /** What was measured, on what. */
  readonly title: string
  /** Of the section in docs/performance.md, and of the file with the numbers. */
  readonly name: string
  readonly dir: string
  readonly doc: boolean
}

export function tableOf(rows: readonly BenchRow[]): string {
  return markdownTable(
    ['measurement', 'result (best)', 'against'],
    rows.map(({ name, value, ratio }) => [name, value, ratio]),
  )
}

/** Shows the table, and writes it where it is asked for. */
export async function report(
  { title, name, dir, doc }: Report,
  rows: readonly BenchRow[],
): Promise<void> {
  const table = tableOf(rows)
  console.log(`\n${title}\n\n${table}`)
  await mkdir(dir, { recursive: true })
  const file = join(dir, `${name}.json`)
  const data = Object.fromEntries(rows.map((row) => [row.name, row.data]))
  await writeFile(file, JSON.stringify({ title, date: new Date().toISOString(), data }, null, 2))
  console.log(`\nnumbers in ${file}`)
  if (doc) await writeSection(name, `${title}\n\n${table}`)
}

export function rowLine({ name, value, ratio }: BenchRow): string {
  return `${name}: ${value}${ratio === '' ? '' : `, ${ratio}`}`
}
