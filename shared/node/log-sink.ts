import { write, writeSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

/** Bytes of lines that may wait for a slow reader: some 3,000 lines of requests. */
const defaultMaxWaitingBytes = 2 ** 20

/** Milliseconds after which a pipe that is full for now is tried again. */
const retryMs = 50

interface LogSinkOptions {
  /** An open file descriptor; it stays open. */
  readonly fd: number
  /** The line that says how many were lost, without its end. */
  readonly lossLine: (lost: number) => string
  /** Lines beyond are lost. */
  readonly maxWaitingBytes?: number
}

/**
 * Writes lines to a file descriptor beside the program's work. A disk that is full, a pipe whose reader left and a reader
 * that does not read never stop the program, and none of them is an error to it: what cannot be written is counted, and the
 * next line that can be says how many were lost.
 */
export class LogSink {
  readonly #fd: number
  readonly #lossLine: (lost: number) => string
  readonly #maxWaitingBytes: number
  #waiting: string[] = []
  #waitingBytes = 0
  #writing: Promise<void> | undefined
  #lost = 0
  /** The last write ended within a line. */
  #isMidLine = false
  #isGivenUp = false

  constructor({ fd, lossLine, maxWaitingBytes = defaultMaxWaitingBytes }: LogSinkOptions) {
    this.#fd = fd
    this.#lossLine = lossLine
    this.#maxWaitingBytes = maxWaitingBytes
  }

  /** Lines lost of which the log does not say so yet. */
  get lost(): number {
    return this.#lost
  }

  /** @param line with its end */
  write(line: string): void {
    const bytes = Buffer.byteLength(line)
    if (this.#isGivenUp || this.#waitingBytes + bytes > this.#maxWaitingBytes) {
      this.#lost += 1
      return
    }
    this.#waiting.push(line)
    this.#waitingBytes += bytes
    this.#writing ??= this.#writeAll()
  }

  /**
   * Waits until all is written or lost. Then nothing more is written.
   * @returns false when a write hangs even after `withinMs`
   */
  async close(withinMs: number): Promise<boolean> {
    const timeUp = new AbortController()
    const isDone = await Promise.race([
      Promise.resolve(this.#writing).then(() => true),
      wait(withinMs, false, { signal: timeUp.signal }),
    ])
    timeUp.abort()
    this.#isGivenUp = true
    return isDone
  }

  /** Writes what waits, once and at once: for a process that ends in this moment. */
  flushNow(): void {
    if (this.#isGivenUp) return
    const { text } = this.#takeWaiting()
    try {
      if (text !== '') writeSync(this.#fd, text)
    } catch {
      // Nobody is left to hear of it.
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const { text, lines, lost } = this.#takeWaiting()
      const bytes = Buffer.from(text)
      const written = await this.#writeWhole(bytes)
      if (written === bytes.length) this.#lost -= lost
      else this.#lost += linesOf(bytes, lines, written)
      if (written > 0) this.#isMidLine = bytes[written - 1] !== newline
    }
    this.#writing = undefined
  }

  /** All that waits as one text, after what there is to say about losses. */
  #takeWaiting(): { text: string; lines: number; lost: number } {
    const lines = this.#waiting
    const lost = this.#lost
    this.#waiting = []
    this.#waitingBytes = 0
    const before = [
      ...(this.#isMidLine ? ['\n'] : []),
      ...(lost > 0 ? [`${this.#lossLine(lost)}\n`] : []),
    ]
    const text = lines.length === 0 ? '' : [...before, ...lines].join('')
    return { text, lines: lines.length, lost }
  }

  /** @returns bytes that were written, fewer than there are when the sink takes no more */
  async #writeWhole(bytes: Buffer): Promise<number> {
    let written = 0
    while (written < bytes.length) {
      const { error, count } = await this.#writeSome(bytes.subarray(written))
      written += count
      if (error?.code === 'EAGAIN') await wait(retryMs)
      else if (error !== null) return written
    }
    return written
  }

  #writeSome(bytes: Buffer): Promise<{ error: NodeJS.ErrnoException | null; count: number }> {
    return new Promise((resolve) => {
      write(this.#fd, bytes, (error, count) => resolve({ error, count: error ? 0 : count }))
    })
  }
}

const newline = 0x0a

/** Of the last `lines` lines of a text, those that are not within its first `written` bytes. */
function linesOf(bytes: Buffer, lines: number, written: number): number {
  const left = bytes.subarray(written).filter((byte) => byte === newline).length
  return Math.min(lines, left)
}
