import { type AnswerEnd, AnswerTail, mayHoldEnd, readAnswerEnd } from './answer-tail.ts'

/** How a body ended: sent whole; broken off by its sender; or its reader left. */
export type BodyEnding = 'whole' | 'broken' | 'left'

export interface BodyObserver {
  /** Aborted when the reader leaves: workerd does not always cancel a stream whose reader has left. */
  readonly signal: AbortSignal
  /** Milliseconds without the reader asking for more after which it has left, where even the signal may stay silent. */
  readonly unreadMs: number | undefined
  /** The last event has come, whole. Its reader gets those bytes once this resolves. */
  readonly onAnswerEnd: (end: AnswerEnd) => Promise<void>
  /** Called once, whatever happens. The reader of a whole body hears of its end once this resolves. */
  readonly onEnd: (ending: BodyEnding, end: AnswerEnd, bytes: number) => Promise<void>
}

/** Relays a body unchanged, chunk by chunk at its reader's pace, and watches its end. */
export function observeBody(
  source: ReadableStream<Uint8Array>,
  observer: BodyObserver,
): ReadableStream<Uint8Array> {
  const { signal } = observer
  const reader = source.getReader()
  const tail = new AnswerTail()
  let bytes = 0
  let told = false
  let ended = false

  const end = async (ending: BodyEnding): Promise<void> => {
    if (ended) return
    ended = true
    signal.removeEventListener('abort', leave)
    demand.stop()
    await observer.onEnd(ending, readAnswerEnd(tail.text()), bytes)
  }
  const leave = (): void => {
    void end('left')
    reader.cancel(signal.reason).catch(() => undefined)
  }
  const watch = async (chunk: Uint8Array): Promise<void> => {
    bytes += chunk.byteLength
    tail.push(chunk)
    if (told || !mayHoldEnd(chunk)) return
    const answerEnd = readAnswerEnd(tail.text())
    told = answerEnd.usage !== undefined || answerEnd.errorCode !== undefined
    if (told) await observer.onAnswerEnd(answerEnd)
  }

  const demand = watchDemand(observer.unreadMs, leave)

  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave)
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        demand.begins()
        try {
          const { done, value } = await reader.read()
          if (done) {
            await end('whole')
            controller.close()
          } else {
            await watch(value)
            controller.enqueue(value)
            demand.ends()
          }
        } catch (error) {
          await end(signal.aborted ? 'left' : 'broken')
          throw error
        }
      },
      async cancel(reason) {
        await end('left')
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

interface DemandWatch {
  begins(): void
  ends(): void
  stop(): void
}

/** Tells when nobody has asked for more for between one and two `unreadMs`. One timer, however many chunks pass. */
function watchDemand(unreadMs: number | undefined, onUnread: () => void): DemandWatch {
  let quiet = true
  let asking = false
  const look = () => {
    if (quiet && !asking) onUnread()
    quiet = true
  }
  const timer = unreadMs === undefined ? undefined : setInterval(look, unreadMs)
  return {
    begins() {
      asking = true
      quiet = false
    },
    ends() {
      asking = false
    },
    stop() {
      if (timer !== undefined) clearInterval(timer)
    },
  }
}
