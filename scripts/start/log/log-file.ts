import { closeSync, existsSync, fstatSync, openSync, renameSync } from 'node:fs'
import { LogSink } from '../../../shared/node/log/log-sink.ts'
import { jsonLossLine } from '../../../shared/node/log/log.ts'

/** Bytes after which a new log file begins. The previous one is kept, so a program's logs take at most twice this. */
const defaultMaxBytes = 16 * 2 ** 20

/** Milliseconds allowed for the last lines to reach the file. */
const closeMs = 500

/** A program's log file, with the previous one as `<path>.1`. */
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

  /** @param line with its line break */
  write(line: string): void {
    const bytes = Buffer.byteLength(line)
    if (this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes) this.#beginAnew()
    this.#bytes += bytes
    this.#sink.write(line)
  }

  async close(): Promise<void> {
    await closeSink(this.#sink, this.#fd)
  }

  /** Lines still waiting go to the old file, whose descriptor stays open until then. */
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
