export interface Table {
  /** Heading of the section that contains it. */
  readonly heading: string
  readonly header: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** The tables of a Markdown document, in order. */
export function readTables(document: string): Table[] {
  const tables: { heading: string; lines: string[] }[] = []
  let heading = ''
  let isInside = false
  for (const line of document.split('\n')) {
    if (line.startsWith('#')) heading = line.replace(/^#+ /, '')
    if (!line.startsWith('|')) isInside = false
    else if (isInside) tables.at(-1)!.lines.push(line)
    else {
      tables.push({ heading, lines: [line] })
      isInside = true
    }
  }
  return tables.map(({ heading: name, lines: [header, , ...rows] }) => ({
    heading: name,
    header: cellsOf(header!),
    rows: rows.map(cellsOf),
  }))
}

function cellsOf(line: string): string[] {
  const cells = line.split('|').slice(1, -1)
  return cells.map((cell) => cell.trim())
}
