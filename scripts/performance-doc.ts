import { readFile, writeFile } from 'node:fs/promises'

/** Where measured numbers are kept. */
const performanceDoc = 'docs/performance.md'

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

/** Puts freshly measured numbers into their section of the performance document. */
export async function writeSection(name: string, content: string): Promise<void> {
  const document = await readFile(performanceDoc, 'utf8')
  await writeFile(performanceDoc, replaceSection(document, name, content))
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
