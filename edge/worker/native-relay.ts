import { readFull } from '../body/web-pieces.ts'
import { AnswerTail } from '../calls/answer-tail.ts'
import type { StreamEnd } from '../backends/exchange.ts'
import type { StreamRelay, StreamWatch } from '../calls/stream-relay.ts'

/** Bytes passed on at once at most: some two hundred events. */
const pieceBytes = 16 * 1024

/** Milliseconds what has come may take to be passed on, once nothing more will: a client that left takes nothing. */
const lastWriteMs = 1_000

/**
 * Events that come faster than JavaScript can be woken, which takes longer than all the rest of the edge does for one,
 * are passed on together: a second copy of the stream is read in large pieces, which makes workerd gather by itself what
 * comes, and what has gathered is sent in one piece. What is read ahead is an answer, and never large.
 */
export const relayNatively: StreamRelay = (source, watch) => {
  const { readable, writable } = new IdentityTransformStream()
  void new Relay(source, writable.getWriter(), watch).run()
  return readable
}

/** What has come, or been passed on. */
interface Progress {
  readonly tail: AnswerTail
  bytes: number
}

class Relay {
  readonly #reader: ReadableStreamBYOBReader
  readonly #readerAhead: ReadableStreamBYOBReader
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>
  readonly #watch: StreamWatch
  readonly #passed: Progress = { tail: new AnswerTail(), bytes: 0 }
  /** All that came, once the backend has ended. */
  #whole: Progress | undefined
  readonly #stopping = new AbortController()

  constructor(
    source: ReadableStream<Uint8Array>,
    writer: WritableStreamDefaultWriter<Uint8Array>,
    watch: StreamWatch,
  ) {
    const [forClient, ahead] = source.tee()
    this.#reader = forClient.getReader({ mode: 'byob' })
    // Piped, since a copy that is read in large pieces itself would hold the other one back until they are full.
    const gathered = new IdentityTransformStream()
    ahead.pipeTo(gathered.writable, { signal: this.#stopping.signal }).catch(() => undefined)
    this.#readerAhead = gathered.readable.getReader({ mode: 'byob' })
    this.#writer = writer
    this.#watch = watch
  }

  async run(): Promise<void> {
    const { signal, onEnd } = this.#watch
    const leave = () => this.#stop()
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
    const came = this.#readAhead()
    const passed = this.#passOn()
    try {
      const { how, progress } = await this.#ending(came, passed)
      if (how !== 'whole') this.#stop()
      await onEnd(how, progress.tail, progress.bytes)
      await passed
      await this.#close(how)
    } catch {
      // The client is gone: nobody is left to be told.
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  /** A client that has left unnoticed takes nothing more; the end of the backend's work does not wait for it. */
  async #ending(
    came: Promise<Progress | 'broken'>,
    passed: Promise<StreamEnd>,
  ): Promise<{ how: StreamEnd; progress: Progress }> {
    const first = await Promise.race([passed, came])
    if (typeof first === 'object' && !this.#watch.signal.aborted) {
      return { how: 'whole', progress: first }
    }
    const how = await Promise.race([passed, after(lastWriteMs).then(() => 'broken' as const)])
    return { how, progress: this.#passed }
  }

  /** Reads all that comes, and wakes JavaScript for large pieces only. */
  async #readAhead(): Promise<Progress | 'broken'> {
    const progress: Progress = { tail: new AnswerTail(), bytes: 0 }
    let buffer = new ArrayBuffer(pieceBytes)
    try {
      for (;;) {
        const piece = await readFull(this.#readerAhead, buffer)
        if (piece === undefined) {
          this.#whole = progress
          return progress
        }
        keep(progress, piece)
        buffer = piece.buffer
      }
    } catch {
      return 'broken'
    }
  }

  /** @returns how it ended; never fails */
  async #passOn(): Promise<StreamEnd> {
    let buffer = new ArrayBuffer(pieceBytes)
    while (this.#passed.bytes !== this.#whole?.bytes) {
      // Lets workerd gather what is there, unless that is all already.
      if (this.#whole === undefined) await scheduler.wait(0)
      const piece = await this.#read(buffer)
      if (this.#watch.signal.aborted) return 'left'
      if (this.#watch.stopping.cut) return 'cut'
      if (this.#stopping.signal.aborted || piece === 'broken') return 'broken'
      if (piece === undefined) return 'whole'
      keep(this.#passed, piece)
      try {
        await this.#writer.write(piece)
      } catch {
        return 'left'
      }
      buffer = piece.buffer as ArrayBuffer
    }
    return 'whole'
  }

  /** @returns undefined at the end */
  async #read(buffer: ArrayBuffer): Promise<Uint8Array | 'broken' | undefined> {
    const silence = setTimeout(() => this.#stop(), this.#watch.idleMs)
    try {
      const { done, value } = await this.#reader.read(new Uint8Array(buffer))
      return done ? undefined : value
    } catch {
      return 'broken'
    } finally {
      clearTimeout(silence)
    }
  }

  /** Ends the call of the backend, and with it the reads that wait. */
  #stop(): void {
    this.#stopping.abort()
    this.#reader.cancel().catch(() => undefined)
  }

  async #close(how: StreamEnd): Promise<void> {
    const { tail, bytes } = this.#passed
    const isTorn = bytes > 0 && !tail.text().endsWith('\n\n')
    if (how === 'left' || (how !== 'whole' && isTorn)) {
      await this.#writer.abort(new Error('The stream ended early'))
      return
    }
    if (how !== 'whole') await this.#writer.write(this.#watch.lastWords(how, tail))
    await this.#writer.close()
  }
}

function keep(progress: Progress, piece: Uint8Array): void {
  // Copied, since the buffer is used again.
  progress.tail.push(piece.slice())
  progress.bytes += piece.byteLength
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
