import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { writePrivateFile } from '../../shared/node/files/private-file.ts'
import type { HubFile } from './list-model.ts'

/**
 * Bytes requested at once: enough that the cost of a request does not matter, and little enough that every connection
 * has work until the end. The real model has about 500 pieces.
 */
const defaultPieceBytes = 64 * 1024 * 1024

const fileStateSchema = z.object({
  hash: z.string(),
  /** The storage's name for this content; a different tag means different content. */
  etag: z.string().optional(),
  /** Bytes present of each piece, from its beginning. */
  done: z.array(z.int().min(0)),
  /** Complete, checked and under its own name. */
  finished: z.boolean(),
})
export type FileState = z.infer<typeof fileStateSchema>

const stateSchema = z.object({
  /** Bytes of a piece; `done` is only meaningful for this size. */
  pieceBytes: z.int().min(1),
  files: z.record(z.string(), fileStateSchema),
})

const fileName = 'download.json'

/** The progress of a download, in a file next to it. */
export class DownloadState {
  readonly pieceBytes: number
  readonly #folder: string
  readonly #files: Record<string, FileState>

  private constructor(folder: string, pieceBytes: number, files: Record<string, FileState>) {
    this.#folder = folder
    this.pieceBytes = pieceBytes
    this.#files = files
  }

  /** Starts with an empty state where there is no readable one. */
  static async read(folder: string, pieceBytes = defaultPieceBytes): Promise<DownloadState> {
    const text = await readFile(join(folder, fileName), 'utf8').catch(() => '{}')
    const state = parse(text)
    const files = state?.pieceBytes === pieceBytes ? state.files : {}
    return new DownloadState(folder, pieceBytes, files)
  }

  /** The state of a file; reset when its content is not what was being downloaded. */
  of({ path: name, bytes, hash }: HubFile): FileState {
    const known = this.#files[name]
    const pieces = Math.ceil(bytes / this.pieceBytes)
    if (known?.hash === hash.value && known.done.length === pieces) return known
    const fresh = { hash: hash.value, done: Array<number>(pieces).fill(0), finished: false }
    this.#files[name] = fresh
    return fresh
  }

  /** Saves atomically: after an interruption the previous state is intact. */
  save(): Promise<void> {
    const text = JSON.stringify({ pieceBytes: this.pieceBytes, files: this.#files })
    return writePrivateFile(join(this.#folder, fileName), text)
  }
}

function parse(text: string): z.infer<typeof stateSchema> | undefined {
  try {
    return stateSchema.safeParse(JSON.parse(text)).data
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
