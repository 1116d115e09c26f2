/** How an answer's stream ended: told whole, broken off by the backend, or left by the client. */
export type StreamEnd = 'whole' | 'broken' | 'left'

interface GuardOptions {
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal
  /** Milliseconds without a byte after which the backend is given up. */
  readonly idleMs: number
  /** What the client is told when the stream breaks off. */
  readonly lastWords: () => Uint8Array
  /** Called once. */
  readonly onEnd: (how: StreamEnd) => void
}

/** Bytes an unfinished event may have; no event of ours comes near it. */
const maxEventBytes = 4 * 1024 * 1024

const newline = 0x0a

/**
 * A stream of server-sent events as the backend sends it, but never with a torn event: when the backend breaks off,
 * falls silent or ends within an event, the client gets the last words instead of a cut connection.
 */
export function guardStream(
  source: ReadableStream<Uint8Array>,
  { signal, idleMs, lastWords, onEnd }: GuardOptions,
): ReadableStream<Uint8Array> {
  const reader = source.getReader()
  const tail = new EventTail()
  let ended = false
  const end = (how: StreamEnd) => {
    if (ended) return
    ended = true
    idle.stop()
    signal.removeEventListener('abort', leave)
    if (how !== 'whole') reader.cancel().catch(() => undefined)
    onEnd(how)
  }
  const leave = () => end('left')
  // Cancelling also ends the read that is waiting.
  const idle = startIdleTimer(idleMs, () => end('broken'))
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave, { once: true })

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          for (;;) {
            const { done, value } = await reader.read()
            idle.reset()
            if (done) break
            const whole = tail.push(value)
            if (whole !== undefined) return controller.enqueue(whole)
          }
          end(tail.isEmpty ? 'whole' : 'broken')
          if (!tail.isEmpty || idle.expired) controller.enqueue(lastWords())
        } catch {
          end('broken')
          controller.enqueue(lastWords())
        }
        controller.close()
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  )
}

/** Keeps back the part of an event whose end has not come yet. */
class EventTail {
  #tail: Uint8Array | undefined

  get isEmpty(): boolean {
    return this.#tail === undefined
  }

  /** @returns all whole events so far, or undefined when there are none */
  push(chunk: Uint8Array): Uint8Array | undefined {
    const bytes = this.#tail === undefined ? chunk : join(this.#tail, chunk)
    const end = bytes.length > maxEventBytes ? bytes.length : endOfLastEvent(bytes)
    this.#tail = end === bytes.length ? undefined : bytes.subarray(end)
    return end === 0 ? undefined : bytes.subarray(0, end)
  }
}

/** The length of `bytes` up to and with the last empty line, 0 without one. */
function endOfLastEvent(bytes: Uint8Array): number {
  for (let at = bytes.length - 1; at > 0; at -= 1) {
    if (bytes[at] === newline && bytes[at - 1] === newline) return at + 1
  }
  return 0
}

function join(left: Uint8Array, right: Uint8Array): Uint8Array {
  const joined = new Uint8Array(left.length + right.length)
  joined.set(left)
  joined.set(right, left.length)
  return joined
}

interface IdleTimer {
  readonly expired: boolean
  reset(): void
  stop(): void
}

/** One timer for a whole stream: it is not started anew with each chunk, but looks, when due, how long it was quiet. */
function startIdleTimer(idleMs: number, onIdle: () => void): IdleTimer {
  let quiet = true
  let expired = false
  let timer: ReturnType<typeof setTimeout>
  const wait = () => {
    quiet = true
    timer = setTimeout(() => {
      if (!quiet) return wait()
      expired = true
      onIdle()
    }, idleMs)
  }
  wait()
  return {
    get expired() {
      return expired
    },
    reset() {
      quiet = false
    },
    stop: () => clearTimeout(timer),
  }
}
