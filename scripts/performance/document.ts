import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { drawBarChart } from './bar-chart.ts'
import { chartsOf } from './charts.ts'

/** Where measured numbers are kept. */
const performanceDoc = 'docs/performance.md'

/** Where the charts of that document are kept. */
const chartFolder = 'docs/charts'

/**
 * Replaces what stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; text around it is written by hand.
 * @throws {Error} when the markers are missing
 */
function replaceSection(document: string, name: string, content: string): string {
  const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`]
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${performanceDoc} has no section ${name}`)
  return `${document.slice(0, from + begin.length)}\n\n${content.trim()}\n\n${document.slice(to)}`
}

/** Puts freshly measured numbers into their section of the performance document and draws its charts again. */
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

/** A Markdown table, columns padded as the formatter would. */
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
