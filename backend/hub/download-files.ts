import type { Response } from 'undici'
import { reasonOf, type HubClient } from './hub-client.ts'
import { HubError } from './hub-error.ts'
import type { HubModel } from './list-model.ts'
import type { PartialFile, Piece } from './partial-file.ts'
import { PassingError, Retries, type RetryPolicy } from './retry.ts'

/** Simultaneous exchanges: the storage limits a single one to a tenth of a fast connection. */
const parallelExchanges = 8

/** How many times a file may turn out to have changed, or to be damaged, before that becomes an error. */
const maxRestarts = 3

interface DownloadOptions {
  readonly client: HubClient
  readonly model: HubModel
  readonly files: readonly PartialFile[]
  readonly retry: RetryPolicy
  /** Called with the number of bytes received; negative when bytes must be fetched again. */
  readonly onBytes: (count: number) => void
  readonly signal: AbortSignal
}

/**
 * Downloads the files, many pieces at a time, until each is complete under its name. On an early end the bytes
 * received are kept.
 * @throws {HubError} when the download cannot continue
 */
export async function downloadFiles(options: DownloadOptions): Promise<void> {
  const ending = new AbortController()
  const signal = AbortSignal.any([options.signal, ending.signal])
  const download = new Download({ ...options, signal })
  const workers = Array.from({ length: parallelExchanges }, async () => {
    try {
      await download.work()
    } catch (error) {
      ending.abort(error)
      throw error
    }
  })
  // Wait for all of them: none may still be writing when its file is closed.
  await Promise.allSettled(workers)
  await Promise.all(options.files.map((file) => file.close()))
  signal.throwIfAborted()
}

class Download {
  readonly #options: DownloadOptions
  readonly #queue: Piece[]
  readonly #restarts = new Map<PartialFile, number>()
  /** Files whose check is running or done. */
  readonly #checked = new Set<PartialFile>()

  constructor(options: DownloadOptions) {
    this.#options = options
    this.#queue = options.files.flatMap((file) => file.pieces())
  }

  /** Downloads one piece after the other until none is left. */
  async work(): Promise<void> {
    for (const file of this.#options.files) await this.#finishIfComplete(file)
    for (;;) {
      const piece = this.#queue.shift()
      if (piece === undefined) return
      await this.#bring(piece)
      await this.#finishIfComplete(piece.file)
    }
  }

  async #bring(piece: Piece): Promise<void> {
    const retries = new Retries(this.#options.retry)
    while (piece.file.isWanted(piece)) {
      try {
        await this.#exchange(piece, retries)
      } catch (error) {
        await retries.pause(error, this.#options.signal)
      }
    }
  }

  /** One attempt: takes what arrives of a piece, until its end or until the connection breaks. */
  async #exchange(piece: Piece, retries: Retries): Promise<void> {
    const { file } = piece
    if (!file.ranged) this.#options.onBytes(-file.rewind())
    const response = await this.#ask(piece)
    if (!file.isWanted(piece) || !this.#fits(response, piece)) {
      await response.body?.cancel()
      return
    }
    try {
      for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
        if (!file.isWanted(piece)) return
        await file.write(piece, bytes)
        this.#options.onBytes(bytes.length)
        retries.progressed()
      }
    } catch (cause) {
      this.#options.signal.throwIfAborted()
      if (cause instanceof HubError || cause instanceof PassingError) throw cause
      const reason = `the connection was lost (${reasonOf(cause)})`
      throw new PassingError(`${file.hub.path}: ${reason}`, { cause })
    }
    if (file.isWanted(piece)) throw new PassingError(`${file.hub.path}: the answer is too short`)
  }

  #ask({ file, ...piece }: Piece): Promise<Response> {
    const { client, model, signal } = this.#options
    const { from, to } = file.rangeOf({ file, ...piece })
    const { path } = file.hub
    const url = `${client.endpoint}/${model.repo}/resolve/${model.commit}/${encodeURIComponent(path)}`
    const headers = {
      // A compressed body would not be a range of the file.
      'accept-encoding': 'identity',
      range: `bytes=${from}-${to - 1}`,
      ...(file.etag !== undefined && { 'if-range': file.etag }),
    }
    return client.get(url, headers, { what: path, signal })
  }

  /** Whether the answer is what was requested. If not, the file is restarted in the way the answer calls for. */
  #fits(response: Response, { file, ...piece }: Piece): boolean {
    const { from, to } = file.rangeOf({ file, ...piece })
    const tag = strongTag(response)
    const changed = tag !== undefined && file.etag !== undefined && tag !== file.etag
    if (changed) this.#beginAnew(file, true, 'keeps changing on the server')
    else if (response.status === 206) {
      if (!response.headers.get('content-range')?.startsWith(`bytes ${from}-${to - 1}/`)) {
        throw new PassingError(
          `${file.hub.path}: the server sent a different part than was requested`,
        )
      }
    } else if (from > 0 || to < file.hub.bytes) {
      this.#beginAnew(file, false, 'is sent sometimes whole and sometimes in parts')
      return false
    }
    file.etag ??= tag
    return !changed
  }

  async #finishIfComplete(file: PartialFile): Promise<void> {
    if (file.finished || !file.isComplete || this.#checked.has(file)) return
    this.#checked.add(file)
    const hash = await file.finish(this.#options.signal)
    if (file.finished) return
    this.#checked.delete(file)
    const { algorithm, value } = file.hub.hash
    this.#beginAnew(file, file.ranged, `has the ${algorithm} ${hash}, but the hub says ${value}`)
  }

  #beginAnew(file: PartialFile, ranged: boolean, problem: string): void {
    const restarts = (this.#restarts.get(file) ?? 0) + 1
    this.#restarts.set(file, restarts)
    if (restarts > maxRestarts) throw new HubError(`${file.hub.path} ${problem}`)
    this.#options.onBytes(-file.doneBytes)
    file.restart(ranged)
    this.#queue.push(...file.pieces())
  }
}

/** A weak tag says that two contents are equivalent, not that their bytes are equal. */
function strongTag(response: Response): string | undefined {
  const tag = response.headers.get('etag')
  return tag === null || tag.startsWith('W/') ? undefined : tag
}
