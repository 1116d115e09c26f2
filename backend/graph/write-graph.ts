import type { BuiltGraph, Value } from './graph-builder.ts'
import { WeightsFile, type FileDigest, type WriteOptions } from './weights-file.ts'

/** Where an external initializer is stored in the file. */
interface Place {
  readonly name: string
  readonly offset: number
  readonly byteLength: number
  written: number
}

/**
 * Writes a graph's external initializers, each at its offset, by running its fills one after the other. Memory use is
 * bounded by what one fill holds.
 * @throws {RangeError} when a fill writes too much, too little or in the wrong place
 */
export async function writeWeights(
  graph: BuiltGraph,
  path: string,
  { onBytes, signal }: WriteOptions = {},
): Promise<FileDigest> {
  const places = placesOf(graph)
  const file = await WeightsFile.create(path)
  try {
    await writeGaps(file, [...places.values()])
    const write = async (tensor: Value, at: number, bytes: Uint8Array) => {
      signal?.throwIfAborted()
      const place = places.get(tensor)
      if (place === undefined || at + bytes.length > place.byteLength) {
        throw new RangeError(`${bytes.length} bytes at ${at} do not belong to ${tensor}`)
      }
      await file.write(place.offset + at, bytes)
      place.written += bytes.length
      onBytes?.(bytes.length)
    }
    for (const fill of graph.fills) await runFill(fill, write)
    for (const place of places.values()) checkWritten(place)
    return await file.finish()
  } finally {
    await file.close()
  }
}

function placesOf(graph: BuiltGraph): Map<string, Place> {
  const places = new Map<string, Place>()
  for (const tensor of graph.spec.initializers) {
    if ('offset' in tensor) places.set(tensor.name, { ...tensor, written: 0 })
  }
  return places
}

/** Writes zeros between tensors, which begin at aligned offsets. */
async function writeGaps(file: WeightsFile, places: readonly Place[]): Promise<void> {
  let end = 0
  for (const { offset, byteLength } of places) {
    if (offset > end) await file.write(end, new Uint8Array(offset - end))
    end = offset + byteLength
  }
}

function checkWritten({ name, byteLength, written }: Place): void {
  if (written === byteLength) return
  throw new RangeError(`${name}: ${written} of ${byteLength} bytes written`)
}

async function runFill(
  fill: BuiltGraph['fills'][number],
  write: Parameters<BuiltGraph['fills'][number]['run']>[0],
): Promise<void> {
  try {
    await fill.run(write)
  } catch (cause) {
    throw new Error(`Cannot write ${fill.name}: ${(cause as Error).message}`, { cause })
  }
}
