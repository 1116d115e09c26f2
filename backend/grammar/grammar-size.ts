import type { Grammar } from './grammar.ts'

/** Bytes of a plan, and of a property, in memory: about that. */
const planBytes = 200

/** Bytes that a grammar takes in memory, roughly. */
export function sizeOf({ pieces, plans }: Grammar): number {
  let bytes = 0
  for (const piece of pieces) {
    bytes += tableBytes(piece) + (piece.kind === 'pattern' ? tableBytes(piece.decoder) : 0)
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
