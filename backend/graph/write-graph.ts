import { open } from 'node:fs/promises'
import type { BuiltGraph, Value } from './graph-builder.ts'

/**
 * Writes a graph's external initializers, each at its offset, by running its fills one after the other; memory stays
 * at what one fill holds.
 * @param onBytes told how many bytes were written, as they are
 * @throws {RangeError} when a fill writes too much, too little or elsewhere
 */
export async function writeWeights(
  graph: BuiltGraph,
  path: string,
  onBytes: (count: number) => void = () => undefined,
): Promise<void> {
  const places = new Map<string, { offset: number; byteLength: number; written: number }>()
  for (const tensor of graph.spec.initializers) {
    if ('offset' in tensor) places.set(tensor.name, { ...tensor, written: 0 })
  }
  const file = await open(path, 'w')
  try {
    await file.truncate(graph.weightBytes)
    const write = async (tensor: Value, at: number, bytes: Uint8Array) => {
      const place = places.get(tensor)
      if (place === undefined || at + bytes.length > place.byteLength) {
        throw new RangeError(`${bytes.length} bytes at ${at} do not belong to ${tensor}`)
      }
      await file.write(bytes, 0, bytes.length, place.offset + at)
      place.written += bytes.length
      onBytes(bytes.length)
    }
    for (const fill of graph.fills) await runFill(fill, write)
    await file.sync()
  } finally {
    await file.close()
  }
  for (const [name, { byteLength, written }] of places) {
    if (written !== byteLength)
      throw new RangeError(`${name}: ${written} of ${byteLength} bytes written`)
  }
}

async function runFill(
  fill: BuiltGraph['fills'][number],
  write: Parameters<BuiltGraph['fills'][number]['run']>[0],
): Promise<void> {
  try {
    await fill.run(write)
  } catch (cause) {
    throw new Error(`cannot write ${fill.name}: ${(cause as Error).message}`, { cause })
  }
}
