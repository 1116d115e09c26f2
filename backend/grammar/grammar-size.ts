import type { Grammar } from './grammar.ts'

/** Approximate bytes of a plan, and of a property, in memory. */
const planBytes = 200

/** Approximate bytes that a grammar takes in memory. */
export function sizeOf({ pieces, plans }: Grammar): number {
  let bytes = 0
  for (const piece of pieces) {
    bytes += tableBytes(piece)
    if (piece.kind === 'pattern') bytes += tableBytes(piece.decoder) + tableBytes(piece.regions)
  }
  for (const plan of plans) {
    bytes += planBytes * (1 + (plan.kind === 'object' ? plan.properties.length : 0))
  }
  return bytes
}

function tableBytes(tables: object): number {
  const all: unknown[] = Object.values(tables)
  return all.reduce(
    (sum: number, table) => sum + (ArrayBuffer.isView(table) ? table.byteLength : 0),
    0,
  )
}
