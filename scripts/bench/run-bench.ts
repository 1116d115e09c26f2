import { cpus, totalmem } from 'node:os'
import { cardRows } from './card/card-rows.ts'
import { cpuRows } from './cpu/cpu-rows.ts'
import type { BenchRow } from './measure.ts'
import { parseOptions, type BenchOptions } from './options.ts'
import { report, rowLine } from './report.ts'

const options = parseOptions()
const rows: BenchRow[] = []
for await (const row of options.provider === 'cpu' ? cpuRows(options) : cardRows(options)) {
  rows.push(row)
  console.log(rowLine(row))
}
await report({ ...options, title: titleOf(options), name: nameOf(options) }, rows)
process.disconnect()

function titleOf({ layers, visionLayers, slots, threads, provider }: BenchOptions): string {
  const host = `${threads} threads, ${cpus()[0]!.model.trim()}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`
  const machine = provider === 'cpu' ? host : `on the card, with ${host}`
  return `${layers} decoder layers, ${visionLayers} vision layers, ${slots} slots; ${machine}`
}

/** Each may have a section of its own in docs/performance.md. */
function nameOf({ layers, provider }: BenchOptions): string {
  return provider === 'cpu' ? `bench-${layers}` : `bench-card-${layers}`
}
