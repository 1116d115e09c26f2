import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { drawBarChart } from './bar-chart.ts'
import { chartsOf } from './charts.ts'

/** The document that holds measured numbers. */
const performanceDoc = 'docs/performance.md'

/** The folder of that document's charts. */
const chartFolder = 'docs/charts'

/**
 * Replaces the content between `<!-- begin NAME -->` and `<!-- end NAME -->`; the text around it is written by hand.
 * @throws {Error} when the markers are missing
 */
function replaceSection(document: string, name: string, content: string): string {
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`]
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${performanceDoc} has no section ${name}`)
  return `${document.slice(0, from + begin.length)}\n\n${content.trim()}\n\n${document.slice(to)}`
}

/** Writes new measurements into their section of the performance document and redraws its charts. */
export async function writeSection(name: string, content: string): Promise<void> {
  const document = replaceSection(await readFile(performanceDoc, 'utf8'), name, content)
  await writeFile(performanceDoc, document)
  await writeCharts(document)
}

async function writeCharts(document: string): Promise<void> {
  await mkdir(chartFolder, { recursive: true })
  for (const [file, chart] of Object.entries(chartsOf(document))) {
    await writeFile(join(chartFolder, file), drawBarChart(chart))
  }
}

/** A Markdown table with columns padded as the formatter would. */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = header.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]!.length)),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return [line(header), rule, ...rows.map(line)].join('\n')
}
