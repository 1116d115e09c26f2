import { whenAborted } from '../../shared/async/when-aborted.ts'
import { readFull } from '../body/web-pieces.ts'
import { AnswerTail } from '../calls/relay/answer-tail.ts'
import type { StreamEnd } from '../backends/exchange.ts'
import type { StreamRelay, StreamWatch } from '../calls/relay/stream-relay.ts'
import { UnfinishedEvent } from '../calls/relay/unfinished-event.ts'

/** The most bytes passed on at once: about two hundred events. */
const pieceBytes = 16 * 1024

/**
 * Milliseconds allowed for passing on what has arrived once nothing more will arrive: a client that left takes nothing.
 */
const lastWriteMs = 1_000

/**
 * Waking JavaScript takes longer than everything else the edge does for an event, so events that arrive faster are
 * passed on together. A second copy of the stream is read in large pieces, which makes workerd collect by itself what
 * arrives, and what has been collected is sent in one piece, but never half an event. Only an answer is read ahead, and
 * never a large one.
 */
export const relayNatively: StreamRelay = (source, watch) => {
  const { readable, writable } = new IdentityTransformStream()
  void new Relay(source, writable.getWriter(), watch).run()
  return readable
}

/** What has arrived, here or at the copy that is read ahead. */
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
  readonly #unfinished = new UnfinishedEvent()
  /** Everything that arrived, once the backend has ended. */
  #whole: Progress | undefined
  readonly #stopping = new AbortController()

  constructor(
    source: ReadableStream<Uint8Array>,
    writer: WritableStreamDefaultWriter<Uint8Array>,
    watch: StreamWatch,
  ) {
    const [forClient, ahead] = source.tee()
    this.#reader = forClient.getReader({ mode: 'byob' })
    // Piped, because if this copy were read in large pieces directly, it would hold the other one back until they are
    // full.
    const gathered = new IdentityTransformStream()
    ahead.pipeTo(gathered.writable, { signal: this.#stopping.signal }).catch(() => undefined)
    this.#readerAhead = gathered.readable.getReader({ mode: 'byob' })
    this.#writer = writer
    this.#watch = watch
  }

  async run(): Promise<void> {
    const { signal, onEnd } = this.#watch
    const stopListening = whenAborted(signal, () => this.#stop())
    const came = this.#readAhead()
    const passed = this.#passOn()
    try {
      const { how, progress } = await this.#ending(came, passed)
      if (how !== 'whole') this.#stop()
      await onEnd(how, progress.tail, progress.bytes)
      await passed
      await this.#close(how)
    } catch {
      // The client is gone, so there is nobody left to inform.
    } finally {
      stopListening()
    }
  }

  /** A client that left unnoticed takes nothing more; the end of the backend's work does not wait for it. */
  async #ending(
    came: Promise<Progress | 'broken'>,
    passed: Promise<StreamEnd>,
  ): Promise<{ how: StreamEnd; progress: Progress }> {
    const first = await Promise.race([passed, came])
    if (typeof first === 'object' && !this.#watch.signal.aborted) {
      return { how: 'whole', progress: first }
    }
    const how = await Promise.race([passed, wait(lastWriteMs).then(() => 'broken' as const)])
    return { how, progress: this.#passed }
  }

  /** Reads everything that arrives, and wakes JavaScript for large pieces only. */
  async #readAhead(): Promise<Progress | 'broken'> {
    const progress: Progress = { tail: new AnswerTail(), bytes: 0 }
    let buffer = new ArrayBuffer(pieceBytes)
    try {
      for (;;) {
        const piece = await readFull(this.#readerAhead, buffer)
        if (piece === undefined) {
          this.#whole = progress
          return endsWhole(progress) ? progress : 'broken'
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
      // Lets workerd collect what is there, unless that is everything already.
      if (this.#whole === undefined) await scheduler.wait(0)
      const piece = await this.#read(buffer)
      if (this.#watch.signal.aborted) return 'left'
      if (this.#watch.stopping.cut) return 'cut'
      if (this.#stopping.signal.aborted || piece === 'broken') return 'broken'
      if (piece === undefined) break
      keep(this.#passed, piece)
      const events = this.#unfinished.push(piece)
      try {
        if (events !== undefined) await this.#writer.write(events)
      } catch {
        return 'left'
      }
      buffer = piece.buffer as ArrayBuffer
    }
    return this.#unfinished.isEmpty ? 'whole' : 'broken'
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

  /** Ends the call of the backend, and with it the pending reads. */
  #stop(): void {
    this.#stopping.abort()
    this.#reader.cancel().catch(() => undefined)
  }

  async #close(how: StreamEnd): Promise<void> {
    if (how === 'left') {
      await this.#writer.abort(new Error('The client left'))
      return
    }
    if (how !== 'whole') await this.#writer.write(this.#watch.lastWords(how, this.#passed.tail))
    await this.#writer.close()
  }
}

function endsWhole({ tail, bytes }: Progress): boolean {
  return bytes === 0 || tail.text().endsWith('\n\n')
}

function keep(progress: Progress, piece: Uint8Array): void {
  // Copied, because the buffer is reused.
  progress.tail.push(piece.slice())
  progress.bytes += piece.byteLength
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
