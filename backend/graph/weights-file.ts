import { constants, writeSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { Checksum } from './checksum.ts'
import type { BuiltGraph, Value } from './graph-builder.ts'

/**
 * The most bytes that share one checksum: they are read into memory to be verified, and a damaged part shows where the damage
 * is.
 */
export const checksumPartBytes = 16 * 1024 * 1024

/** Expected content of a piece of a file. */
export interface FilePart {
  /** Position of its first byte. */
  readonly offset: number
  readonly bytes: number
  /** See `checksum.ts`. */
  readonly checksum: string
}

/** Expected content of a file. What lies between parts is never read. */
export interface FileChecksums {
  readonly bytes: number
  readonly parts: readonly FilePart[]
}

/** Where a tensor is stored in the file. */
interface Place {
  readonly name: string
  readonly offset: number
  readonly byteLength: number
}

/**
 * A file in which every tensor has a fixed place, so that several writers, each with its own handle, can fill it in any
 * order.
 */
export class WeightsFile {
  readonly #handle: FileHandle
  readonly #places: ReadonlyMap<string, Place>

  private constructor(handle: FileHandle, places: readonly Place[]) {
    this.#handle = handle
    this.#places = new Map(places.map((place) => [place.name, place]))
  }

  /** Opens the file of a graph's external initializers, or creates it. What is not written yet reads as zeros. */
  static async open(path: string, graph: BuiltGraph): Promise<WeightsFile> {
    const places = graph.spec.initializers.filter((tensor) => 'offset' in tensor)
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT)
    if ((await handle.stat()).size !== graph.weightBytes) await handle.truncate(graph.weightBytes)
    return new WeightsFile(handle, places)
  }

  /**
   * Runs a fill. Memory use is bounded by what the fill holds. The checksums are those of the intended content, not of
   * what the disk stored.
   * @returns checksums of all that it wrote
   * @throws {RangeError} when it writes too much, too little or in the wrong place
   */
  async run(fill: BuiltGraph['fills'][number], signal?: AbortSignal): Promise<FilePart[]> {
    const written = new Map<Value, TensorChecksums>()
    let sincePause = 0
    try {
      await fill.run(async (tensor, at, bytes) => {
        signal?.throwIfAborted()
        const place = this.#places.get(tensor)
        if (place === undefined || at + bytes.length > place.byteLength) {
          throw new RangeError(`${bytes.length} bytes at ${at} do not belong to ${tensor}`)
        }
        const checksums = written.get(tensor) ?? new TensorChecksums(place)
        written.set(tensor, checksums)
        checksums.add(at, bytes)
        writeAllNow(this.#handle, place.offset + at, bytes)
        sincePause += bytes.length
        if (sincePause < bytesBetweenPauses) return
        sincePause = 0
        await setImmediate()
      })
      return [...written.values()].flatMap((checksums) => checksums.finish())
    } catch (cause) {
      signal?.throwIfAborted()
      throw new Error(`Cannot write ${fill.name}: ${(cause as Error).message}`, { cause })
    }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/** Checksums of bytes that arrive in order. */
class TensorChecksums {
  readonly #place: Place
  readonly #parts: FilePart[] = []
  #checksum = new Checksum()
  #partStart = 0
  #position = 0

  constructor(place: Place) {
    this.#place = place
  }

  add(at: number, bytes: Uint8Array): void {
    if (at !== this.#position) {
      throw new RangeError(`Byte ${at} of ${this.#place.name} comes after ${this.#position}`)
    }
    for (let from = 0; from < bytes.length;) {
      const left = this.#partStart + checksumPartBytes - this.#position
      const piece = bytes.subarray(from, from + left)
      this.#checksum.add(piece)
      this.#position += piece.length
      from += piece.length
      if (piece.length === left) this.#endPart()
    }
  }

  finish(): readonly FilePart[] {
    const { name, byteLength } = this.#place
    if (this.#position !== byteLength) {
      throw new RangeError(`${name}: ${this.#position} of ${byteLength} bytes written`)
    }
    if (this.#position > this.#partStart) this.#endPart()
    return this.#parts
  }

  #endPart(): void {
    this.#parts.push({
      offset: this.#place.offset + this.#partStart,
      bytes: this.#position - this.#partStart,
      checksum: this.#checksum.end(),
    })
    this.#checksum = new Checksum()
    this.#partStart = this.#position
  }
}

/** Bytes after which a fill gives way to other work, such as the signal that ends it. */
const bytesBetweenPauses = 4 * 1024 * 1024

/** The same in this thread: a conversion writes tens of thousands of pieces, each of which would wait for another thread. */
function writeAllNow({ fd }: FileHandle, position: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done)
  }
}

/** A disk that is nearly full takes fewer bytes than it is given, without an error. */
export async function writeAll(
  file: FileHandle,
  position: number,
  bytes: Uint8Array,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const left = bytes.length - done
    done += (await file.write(bytes, done, left, position + done)).bytesWritten
  }
}

/** Writes all weights of a graph. @throws {RangeError} when its fills do not write every tensor */
export async function writeWeights(graph: BuiltGraph, path: string): Promise<void> {
  const file = await WeightsFile.open(path, graph)
  try {
    const parts: FilePart[] = []
    for (const fill of graph.fills) parts.push(...(await file.run(fill)))
    assertComplete(graph, parts)
  } finally {
    await file.close()
  }
}

/** @throws {RangeError} naming a tensor of which bytes are not among the parts */
export function assertComplete(graph: BuiltGraph, parts: readonly FilePart[]): void {
  const starts = new Set(parts.map(({ offset }) => offset))
  const missing = graph.spec.initializers.find(
    (tensor) => 'offset' in tensor && tensor.byteLength > 0 && !starts.has(tensor.offset),
  )
  if (missing !== undefined) throw new RangeError(`${missing.name} was never written`)
}
