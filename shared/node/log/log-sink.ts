import { write, writeSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

/** Bytes of lines that may wait for a slow reader: about 3,000 request lines. */
const defaultMaxWaitingBytes = 2 ** 20

/** Milliseconds before writing to a full pipe is tried again. */
const retryMs = 50

interface LogSinkOptions {
  /** An open file descriptor; it stays open. */
  readonly fd: number
  /** The line that reports how many were lost, without its line break. */
  readonly lossLine: (lost: number) => string
  /** Lines beyond this are lost. */
  readonly maxWaitingBytes?: number
}

/**
 * Writes lines to a file descriptor without holding up the program. A full disk, a pipe whose reader has left and a
 * reader that does not read never stop the program and are not errors: lines that cannot be written are counted, and
 * the next line that can be reports how many were lost.
 */
export class LogSink {
  readonly #fd: number
  readonly #lossLine: (lost: number) => string
  readonly #maxWaitingBytes: number
  #waiting: string[] = []
  #waitingBytes = 0
  #writing: Promise<void> | undefined
  #lost = 0
  /** True when the last write ended within a line. */
  #isMidLine = false
  #isGivenUp = false

  constructor({ fd, lossLine, maxWaitingBytes = defaultMaxWaitingBytes }: LogSinkOptions) {
    this.#fd = fd
    this.#lossLine = lossLine
    this.#maxWaitingBytes = maxWaitingBytes
  }

  /** Lines lost and not yet reported in the log. */
  get lost(): number {
    return this.#lost
  }

  /** @param line with its line break */
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
   * Waits until everything is written or lost. Nothing is written afterwards.
   * @returns false when a write still hangs after `withinMs`
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

  /** Writes what waits, once and synchronously: for a process that is about to end. */
  flushNow(): void {
    if (this.#isGivenUp) return
    const { text } = this.#takeWaiting()
    try {
      if (text !== '') writeSync(this.#fd, text)
    } catch {
      // There is nowhere left to report it.
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

  /** Everything that waits as one text, preceded by the report of losses. */
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

  /** @returns the number of bytes written, fewer than given when the sink takes no more */
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

/** Of the last `lines` lines of a text, how many are not within its first `written` bytes. */
function linesOf(bytes: Buffer, lines: number, written: number): number {
  const left = bytes.subarray(written).filter((byte) => byte === newline).length
  return Math.min(lines, left)
}
