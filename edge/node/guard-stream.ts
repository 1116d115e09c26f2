import { AnswerTail } from '../calls/relay/answer-tail.ts'
import type { StreamEnd } from '../backends/exchange.ts'
import type { StreamRelay } from '../calls/relay/stream-relay.ts'
import { UnfinishedEvent } from '../calls/relay/unfinished-event.ts'

/** Relays chunk by chunk, at the reader's pace, and never part of an event. */
export const guardStream: StreamRelay = (
  source,
  { signal, stopping, idleMs, lastWords, onEnd },
) => {
  const reader = source.getReader()
  const unfinished = new UnfinishedEvent()
  const tail = new AnswerTail()
  let bytes = 0
  let ending: Promise<StreamEnd> | undefined
  /** @returns how it ended: the first of several reasons counts */
  const end = (how: StreamEnd): Promise<StreamEnd> => {
    ending ??= finish(how)
    return ending
  }
  const finish = async (how: StreamEnd): Promise<StreamEnd> => {
    idle.stop()
    signal.removeEventListener('abort', leave)
    stopping.signal?.removeEventListener('abort', cut)
    if (how !== 'whole') reader.cancel().catch(() => undefined)
    await onEnd(how, tail, bytes)
    return how
  }
  const leave = () => void end('left')
  // Cancelling also ends the pending read.
  const idle = startIdleTimer(idleMs, () => void end('broken'))
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave, { once: true })
  const cut = () => void end('cut')
  if (stopping.cut) cut()
  else stopping.signal?.addEventListener('abort', cut, { once: true })

  /** @returns undefined at the end */
  const nextEvents = async (): Promise<Uint8Array | undefined> => {
    for (;;) {
      const { done, value } = await reader.read()
      idle.reset()
      if (done) return undefined
      bytes += value.byteLength
      tail.push(value)
      const whole = unfinished.push(value)
      if (whole !== undefined) return whole
    }
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const events = await nextEvents().catch(() => 'broken' as const)
        if (events instanceof Uint8Array) return controller.enqueue(events)
        const how = await end(events === 'broken' || !unfinished.isEmpty ? 'broken' : 'whole')
        if (how === 'broken' || how === 'cut') controller.enqueue(lastWords(how, tail))
        controller.close()
      },
      cancel: async () => void (await end('left')),
    },
    { highWaterMark: 0 },
  )
}

interface IdleTimer {
  reset(): void
  stop(): void
}

/**
 * One timer for the whole stream: instead of being restarted with each chunk, it checks when due whether the stream has
 * been quiet.
 */
function startIdleTimer(idleMs: number, onIdle: () => void): IdleTimer {
  let quiet = true
  let timer: ReturnType<typeof setTimeout>
  const wait = () => {
    quiet = true
    timer = setTimeout(() => {
      if (!quiet) return wait()
      onIdle()
    }, idleMs)
  }
  wait()
  return {
    reset() {
      quiet = false
    },
    stop: () => clearTimeout(timer),
  }
}
