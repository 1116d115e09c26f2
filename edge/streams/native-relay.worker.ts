import { AnswerTail } from '../limits/answer-tail.ts'
import {
  endOfLastEvent,
  type StreamEnd,
  type StreamRelay,
  type StreamWatch,
} from './stream-relay.ts'

/** Bytes passed on at once at most. */
const pieceBytes = 64 * 1024

/** Bytes of each piece that are kept: an answer's end stands in its last ones. */
const tailBytes = 2_048

/** Milliseconds what has come may take to be passed on, once nothing more will: a client that left takes nothing. */
const lastWriteMs = 1_000

/**
 * Events that come faster than JavaScript can be woken, which takes longer than all the rest of the edge does for one,
 * are passed on together: workerd reads the stream into memory by itself, and what has gathered is sent in one piece.
 * What is read ahead is an answer, and never large.
 */
export const relayNatively: StreamRelay = (source, watch) => {
  const { readable, writable } = new IdentityTransformStream()
  void new Relay(source, writable.getWriter(), watch).run()
  return readable
}

class Relay {
  readonly #reader: ReadableStreamBYOBReader
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>
  readonly #watch: StreamWatch
  readonly #pulling = new AbortController()
  /** All that came, once the backend has ended; undefined when it broke off. */
  readonly #pulled: Promise<Uint8Array | undefined>
  readonly #tail = new AnswerTail()
  #bytes = 0
  #lastPiece = new Uint8Array()
  #isSilent = false

  constructor(
    source: ReadableStream<Uint8Array>,
    writer: WritableStreamDefaultWriter<Uint8Array>,
    watch: StreamWatch,
  ) {
    const [forClient, forMemory] = source.tee()
    this.#reader = forClient.getReader({ mode: 'byob' })
    this.#writer = writer
    this.#watch = watch
    this.#pulled = pullAll(forMemory, this.#pulling.signal)
  }

  async run(): Promise<void> {
    const { signal, onEnd } = this.#watch
    const leave = () => this.#stop()
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
    const passed = this.#passOn()
    try {
      const { how, tail, bytes } = await this.#ending(passed)
      if (how !== 'whole') this.#stop()
      await onEnd(how, tail, bytes)
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
    passed: Promise<StreamEnd>,
  ): Promise<{ how: StreamEnd; tail: AnswerTail; bytes: number }> {
    const first = await Promise.race([passed, this.#pulled])
    if (first instanceof Uint8Array && !this.#watch.signal.aborted) {
      const tail = new AnswerTail()
      tail.push(first)
      return { how: 'whole', tail, bytes: first.byteLength }
    }
    const how = await Promise.race([passed, after<StreamEnd>(lastWriteMs, 'broken')])
    return { how, tail: this.#tail, bytes: this.#bytes }
  }

  /** @returns how it ended; never fails */
  async #passOn(): Promise<StreamEnd> {
    let buffer = new ArrayBuffer(pieceBytes)
    for (;;) {
      const piece = await this.#read(buffer)
      if (this.#watch.signal.aborted) return 'left'
      if (this.#isSilent || piece === 'broken') return 'broken'
      if (piece === undefined) return 'whole'
      this.#bytes += piece.byteLength
      // Copied, since the buffer is used again.
      this.#lastPiece = piece.slice(-tailBytes)
      this.#tail.push(this.#lastPiece)
      try {
        await this.#writer.write(piece)
      } catch {
        return 'left'
      }
      buffer = piece.buffer as ArrayBuffer
      // Lets workerd gather what else is there.
      await scheduler.wait(0)
    }
  }

  /** @returns undefined at the end */
  async #read(buffer: ArrayBuffer): Promise<Uint8Array | 'broken' | undefined> {
    const silence = setTimeout(() => {
      this.#isSilent = true
      this.#stop()
    }, this.#watch.idleMs)
    try {
      const { done, value } = await this.#reader.read(new Uint8Array(buffer))
      return done ? undefined : value
    } catch {
      return 'broken'
    } finally {
      clearTimeout(silence)
    }
  }

  /** Ends the call of the backend, and with it the read that waits. */
  #stop(): void {
    this.#pulling.abort()
    this.#reader.cancel().catch(() => undefined)
  }

  async #close(how: StreamEnd): Promise<void> {
    const isTorn = endOfLastEvent(this.#lastPiece) !== this.#lastPiece.length
    if (how === 'left' || (how === 'broken' && isTorn)) {
      await this.#writer.abort(new Error('The stream ended early'))
      return
    }
    if (how === 'broken') await this.#writer.write(this.#watch.lastWords())
    await this.#writer.close()
  }
}

/** Reads to the end without JavaScript. */
async function pullAll(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { readable, writable } = new IdentityTransformStream()
  stream.pipeTo(writable, { signal }).catch(() => undefined)
  try {
    return new Uint8Array(await new Response(readable).arrayBuffer())
  } catch {
    return undefined
  }
}

function after<Value>(ms: number, value: Value): Promise<Value> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(value), ms)
  })
}
