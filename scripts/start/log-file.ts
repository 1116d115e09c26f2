import { closeSync, existsSync, fstatSync, openSync, renameSync } from 'node:fs'
import { LogSink } from '../../shared/node/log-sink.ts'
import { jsonLossLine } from '../../shared/node/log.ts'

/** Bytes after which a log file begins anew; the one before it is kept, so a program's logs take twice this at most. */
const defaultMaxBytes = 16 * 2 ** 20

/** Milliseconds the last lines may take to reach the file. */
const closeMs = 500

/** A program's log file, with the one before it as `<path>.1`. */
export class LogFile {
  readonly #path: string
  readonly #maxBytes: number
  #fd: number
  #sink: LogSink
  #bytes: number

  constructor(path: string, maxBytes = defaultMaxBytes) {
    this.#path = path
    this.#maxBytes = maxBytes
    this.#fd = this.#open()
    this.#sink = new LogSink({ fd: this.#fd, lossLine: jsonLossLine })
    this.#bytes = fstatSync(this.#fd).size
  }

  /** @param line with its end */
  write(line: string): void {
    const bytes = Buffer.byteLength(line)
    if (this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes) this.#beginAnew()
    this.#bytes += bytes
    this.#sink.write(line)
  }

  async close(): Promise<void> {
    await closeSink(this.#sink, this.#fd)
  }

  /** What still waits goes to the old file: its descriptor stays open until then. */
  #beginAnew(): void {
    void closeSink(this.#sink, this.#fd)
    if (existsSync(this.#path)) renameSync(this.#path, `${this.#path}.1`)
    this.#fd = this.#open()
    this.#sink = new LogSink({ fd: this.#fd, lossLine: jsonLossLine })
    this.#bytes = 0
  }

  #open(): number {
    return openSync(this.#path, 'a', 0o600)
  }
}

async function closeSink(sink: LogSink, fd: number): Promise<void> {
  await sink.close(closeMs)
  closeSync(fd)
}
