import type { Grammar } from './grammar.ts'

/** Bytes of a plan, and of a property, in memory: about that. */
const planBytes = 200

/** Bytes that a grammar takes in memory, roughly. */
export function sizeOf({ pieces, plans }: Grammar): number {
  const tables = pieces.flatMap((piece) => Object.values(piece).concat(piece.kind === 'pattern' ? Object.values(piece.decoder) : []))
  const tableBytes = tables.reduce((sum, table) => sum + (ArrayBuffer.isView(table) ? table.byteLength : 0), 0)
  const entries = plans.reduce((sum, plan) => sum + 1 + (plan.kind === 'object' ? plan.properties.length : 0), 0)
  return tableBytes + planBytes * entries
}
