import type { Grammar } from './grammar.ts'

/** Approximate bytes of a plan, and of a property, in memory. */
const planBytes = 200

/** Approximate bytes that a grammar takes in memory. Patterns share tables, which count once. */
export function sizeOf({ pieces, plans }: Grammar): number {
  const tables = new Set<ArrayBufferView>()
  for (const piece of pieces) {
    const parts = piece.kind === 'pattern' ? [piece, piece.decoder, piece.regions] : [piece]
    for (const table of parts.flatMap(tablesOf)) tables.add(table)
  }
  let bytes = 0
  for (const { byteLength } of tables) bytes += byteLength
  for (const plan of plans) {
    bytes += planBytes * (1 + (plan.kind === 'object' ? plan.properties.length : 0))
  }
  return bytes
}

function tablesOf(piece: object): ArrayBufferView[] {
  const all: unknown[] = Object.values(piece)
  return all.filter((one) => ArrayBuffer.isView(one))
}
