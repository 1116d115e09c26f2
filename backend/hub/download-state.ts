import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { writePrivateFile } from '../../shared/node/private-file.ts'
import type { HubFile } from './list-model.ts'

/**
 * Bytes asked for at once: enough that asking costs nothing, and few enough that every connection has work to the end.
 * The real model has about 500 pieces.
 */
const defaultPieceBytes = 64 * 1024 * 1024

const fileStateSchema = z.object({
  hash: z.string(),
  /** What the storage calls this content; another tag means another content. */
  etag: z.string().optional(),
  /** Bytes that are there of each piece, from its beginning. */
  done: z.array(z.int().min(0)),
  /** Whole, checked and under its own name. */
  finished: z.boolean(),
})
export type FileState = z.infer<typeof fileStateSchema>

const stateSchema = z.object({
  /** Bytes of a piece; with others, what is there of each means something else. */
  pieceBytes: z.int().min(1),
  files: z.record(z.string(), fileStateSchema),
})

const fileName = 'download.json'

/** How far a download is, in a file beside it. */
export class DownloadState {
  readonly pieceBytes: number
  readonly #folder: string
  readonly #files: Record<string, FileState>

  private constructor(folder: string, pieceBytes: number, files: Record<string, FileState>) {
    this.#folder = folder
    this.pieceBytes = pieceBytes
    this.#files = files
  }

  /** Begins anew where there is no readable state. */
  static async read(folder: string, pieceBytes = defaultPieceBytes): Promise<DownloadState> {
    const text = await readFile(path.join(folder, fileName), 'utf8').catch(() => '{}')
    const state = parse(text)
    const files = state?.pieceBytes === pieceBytes ? state.files : {}
    return new DownloadState(folder, pieceBytes, files)
  }

  /** The state of a file; from its beginning when its content is not what was being downloaded. */
  of({ path: name, bytes, hash }: HubFile): FileState {
    const known = this.#files[name]
    const pieces = Math.ceil(bytes / this.pieceBytes)
    if (known?.hash === hash.value && known.done.length === pieces) return known
    const fresh = { hash: hash.value, done: Array<number>(pieces).fill(0), finished: false }
    this.#files[name] = fresh
    return fresh
  }

  /** In one step: an interruption leaves the state as it was a moment ago. */
  save(): Promise<void> {
    const text = JSON.stringify({ pieceBytes: this.pieceBytes, files: this.#files })
    return writePrivateFile(path.join(this.#folder, fileName), text)
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
