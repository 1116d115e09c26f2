import type { BarChart, Measured } from './bar-chart.ts'
import { readTables, type Table } from './read-tables.ts'

/** The charts of docs/performance.md by file name, drawn from its own tables, so that the two cannot disagree. */
export function chartsOf(document: string): Readonly<Record<string, BarChart>> {
  const tables = readTables(document)
  return {
    'decode.svg': decodeChart(
      tableUnder(tables, 'The model, four layers'),
      tableUnder(tables, 'The model, all 27 layers'),
    ),
    'edge.svg': edgeChart(tableUnder(tables, 'The edge')),
    'beside-llama-cpp.svg': besideChart(tableUnder(tables, 'Beside llama.cpp')),
  }
}

function tableUnder(tables: readonly Table[], heading: string): Table {
  const table = tables.find((each) => each.heading === heading)
  if (table === undefined) throw new Error(`docs/performance.md has no table under "${heading}"`)
  return table
}

function decodeChart(four: Table, all: Table): BarChart {
  const speed = (table: Table, sequences: number) => {
    const row = table.rows.find(([name]) => name === `decode, ${sequences} at once, context 512`)
    return row === undefined ? undefined : Number.parseFloat(row[1]!)
  }
  return {
    title: 'Decoding with 512 tokens of context, all sequences together',
    unit: 'tokens a second',
    series: ['4 layers', '27 layers'],
    groups: [1, 2, 4, 8].map((sequences) => ({
      name: `${sequences} at once`,
      values: [speed(four, sequences), speed(all, sequences)],
    })),
  }
}

function edgeChart({ header, rows }: Table): BarChart {
  const ways = ['direct', 'workerd', 'Node']
  return {
    title: 'A request through the edge, median',
    unit: 'milliseconds',
    series: ways,
    groups: rows.map((row) => ({
      name: row[0]!,
      values: ways.map((way) => Number.parseFloat(row[header.indexOf(way)]!)),
    })),
  }
}

function besideChart({ header, rows }: Table): BarChart {
  const engines = ['llama.cpp', 'this engine']
  return {
    title: 'The same model in 8 bits, four layers, two threads',
    unit: 'tokens a second',
    series: engines,
    groups: rows.map((row) => ({
      name: row[0]!,
      values: engines.map((engine) => measured(row[header.indexOf(engine)]!)),
    })),
  }
}

/** @param cell such as `210` or `210 - 254` */
function measured(cell: string): Measured {
  const [low, high] = cell.split(' - ').map(Number)
  return high === undefined ? low! : [low!, high]
}
