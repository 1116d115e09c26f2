import { constants, existsSync } from 'node:fs'
import { open, rename, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { DownloadState, FileState } from './download-state.ts'
import { hashFile } from './file-hash.ts'
import { HubError } from './hub-error.ts'
import type { HubFile } from './list-model.ts'
import { PassingError } from './retry.ts'

/** A range of a file, fetched by one exchange. */
export interface Piece {
  readonly file: PartialFile
  readonly index: number
  /** Counts restarts of the file: a piece from before a restart is useless. */
  readonly beginning: number
}

/** A file being downloaded. It gets its name once it is complete and its hash matches the hub's. */
export class PartialFile {
  readonly hub: HubFile
  readonly #folder: string
  readonly #state: FileState
  readonly #pieceBytes: number
  #handle: FileHandle | undefined
  #beginning = 0
  /** False when the server sends whole files only: then there is one piece, and each attempt begins at 0. */
  #ranged = true

  constructor(hub: HubFile, place: { readonly folder: string; readonly state: DownloadState }) {
    this.hub = hub
    this.#folder = place.folder
    this.#state = place.state.of(hub)
    this.#pieceBytes = place.state.pieceBytes
  }

  get finished(): boolean {
    return this.#state.finished
  }

  get ranged(): boolean {
    return this.#ranged
  }

  get etag(): string | undefined {
    return this.#state.etag
  }

  set etag(tag: string | undefined) {
    if (tag !== undefined) this.#state.etag = tag
  }

  /** Bytes that need not be fetched again. */
  get doneBytes(): number {
    return this.#state.done.reduce((sum, done) => sum + done, 0)
  }

  /** Pieces that are not complete. */
  pieces(): Piece[] {
    const indexes = this.#ranged ? this.#state.done.keys() : [0].values()
    const all = [...indexes].map((index) => ({ file: this, index, beginning: this.#beginning }))
    return all.filter((piece) => this.isWanted(piece))
  }

  isWanted(piece: Piece): boolean {
    if (piece.beginning !== this.#beginning) return false
    const { from, to } = this.rangeOf(piece)
    return from < to
  }

  /** True when every byte is there. */
  get isComplete(): boolean {
    return this.doneBytes === this.hub.bytes
  }

  /** The rest of a piece: bytes [from, to) of the file. */
  rangeOf({ index }: Piece): { readonly from: number; readonly to: number } {
    const { bytes } = this.hub
    const from = index * this.#pieceBytes + this.#state.done[index]!
    return { from, to: this.#ranged ? Math.min(bytes, (index + 1) * this.#pieceBytes) : bytes }
  }

  /** Appends to a piece. @throws {HubError} when writing fails, {PassingError} when the piece is full */
  async write(piece: Piece, bytes: Uint8Array): Promise<void> {
    const { from, to } = this.rangeOf(piece)
    if (bytes.length > to - from) throw new PassingError(`${this.hub.path}: the answer is too long`)
    const handle = await this.#opened()
    try {
      for (let done = 0; done < bytes.length;) {
        const left = bytes.length - done
        done += (await handle.write(bytes, done, left, from + done)).bytesWritten
      }
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      const advice = 'what was downloaded is kept, and the next attempt continues from there'
      const problem = code === 'ENOSPC' ? `the disk is full; ${advice}` : message
      throw new HubError(`cannot write ${this.#partial}: ${problem}`, { cause })
    }
    if (piece.beginning === this.#beginning) this.#state.done[piece.index]! += bytes.length
  }

  /** Starts over, for a server that sends no ranges. @returns the number of bytes to fetch again */
  rewind(): number {
    const { doneBytes } = this
    this.#state.done.fill(0)
    return doneBytes
  }

  /** Discards what is there. @param ranged whether the server sends ranges */
  restart(ranged = this.#ranged): void {
    this.#beginning += 1
    this.#ranged = ranged
    this.#state.done.fill(0)
    delete this.#state.etag
  }

  /** Gives the file its name if its hash is right. @returns the hash */
  async finish(signal: AbortSignal): Promise<string> {
    const handle = await this.#opened()
    await handle.truncate(this.hub.bytes)
    await handle.sync()
    await this.close()
    const hash = await hashFile(this.#partial, this.hub, signal)
    if (hash !== this.hub.hash.value) return hash
    await rename(this.#partial, join(this.#folder, this.hub.path))
    this.#state.finished = true
    return hash
  }

  /** The file is already complete under its name, from another source. */
  markFinished(): void {
    const { bytes } = this.hub
    this.#state.done.forEach((_, index) => {
      this.#state.done[index] = Math.min(this.#pieceBytes, bytes - index * this.#pieceBytes)
    })
    this.#state.finished = true
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  /** The state may claim more than exists if somebody removed a file. */
  async check(): Promise<void> {
    if (this.finished) {
      if (existsSync(join(this.#folder, this.hub.path))) return
      this.#state.finished = false
      this.restart()
    }
    const handle = await this.#opened()
    const { size } = await handle.stat()
    const last = this.#state.done.findLastIndex((done) => done > 0)
    if (last >= 0 && size < last * this.#pieceBytes + this.#state.done[last]!) this.restart()
  }

  get #partial(): string {
    return join(this.#folder, `${this.hub.path}.partial`)
  }

  async #opened(): Promise<FileHandle> {
    this.#handle ??= await open(this.#partial, constants.O_RDWR | constants.O_CREAT, 0o666)
    return this.#handle
  }
}
