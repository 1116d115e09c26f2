import { createHash, type Hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'

/**
 * Bytes of a file that share one digest. Parts are verified in parallel on all cores, and a damaged part shows where
 * the damage is. The real model's decoder has about a thousand parts.
 */
export const digestPartBytes = 16 * 1024 * 1024

/** Expected content of a file. */
export interface FileDigest {
  readonly bytes: number
  /** SHA-256 of each `digestPartBytes`, in hexadecimal; the last part may be shorter. */
  readonly parts: readonly string[]
}

export interface WriteOptions {
  /** Called with the number of bytes just written. */
  readonly onBytes?: (count: number) => void
  /** Aborts writing with its reason. */
  readonly signal?: AbortSignal
}

/**
 * Writes a file in pieces and computes its digest along the way. The digest is that of the intended content, not of
 * what the disk stored. Pieces may arrive in any order; early ones are held in memory until their turn.
 */
export class WeightsFile {
  readonly #file: FileHandle
  readonly #early = new Map<number, Uint8Array>()
  readonly #parts: string[] = []
  #part: Hash = createHash('sha256')
  /** Bytes digested so far: everything before this position has been written. */
  #position = 0

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async create(path: string): Promise<WeightsFile> {
    return new WeightsFile(await open(path, 'w'))
  }

  /** @throws {RangeError} when the bytes overlap what was already written without a gap */
  async write(position: number, bytes: Uint8Array): Promise<void> {
    if (position < this.#position) throw new RangeError(`Byte ${position} is written twice`)
    if (position === this.#position) this.#digest(bytes)
    else this.#early.set(position, bytes.slice())
    await this.#store(position, bytes)
  }

  /** Makes the file durable. @throws {RangeError} when bytes are missing in between */
  async finish(): Promise<FileDigest> {
    if (this.#early.size > 0) throw new RangeError(`Byte ${this.#position} was never written`)
    await this.#file.sync()
    if (this.#position % digestPartBytes > 0) this.#endPart()
    return { bytes: this.#position, parts: this.#parts }
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  #digest(bytes: Uint8Array): void {
    let next: Uint8Array | undefined = bytes
    while (next !== undefined) {
      this.#digestPiece(next)
      next = this.#early.get(this.#position)
      this.#early.delete(this.#position)
    }
  }

  #digestPiece(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      const left = digestPartBytes - (this.#position % digestPartBytes)
      const piece = bytes.subarray(from, from + left)
      this.#part.update(piece)
      this.#position += piece.length
      from += piece.length
      if (piece.length === left) this.#endPart()
    }
  }

  #endPart(): void {
    this.#parts.push(this.#part.digest('hex'))
    this.#part = createHash('sha256')
  }

  /** A disk that is nearly full takes fewer bytes than it is given, without an error. */
  async #store(position: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const left = bytes.length - done
      done += (await this.#file.write(bytes, done, left, position + done)).bytesWritten
    }
  }
}
