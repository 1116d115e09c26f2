import type { Readable } from 'node:stream'

/** Bytes waiting for a slow client before the source is paused. */
const highWaterMark = 64 * 1024

/**
 * A Node stream as a web stream, chunk by chunk and with back-pressure. Readable.toWeb() of Node 20 throws outside
 * any promise when its reader goes away, and the process dies; here every ending is reached once and quietly.
 */
export function toWebStream(source: Readable): ReadableStream<Uint8Array> {
  let ended = false
  const once = (end: () => void) => {
    if (ended) return
    ended = true
    end()
  }
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        source.on('data', (chunk: Uint8Array) => {
          if (ended) return
          controller.enqueue(chunk)
          if ((controller.desiredSize ?? 0) <= 0) source.pause()
        })
        source.on('end', () => once(() => controller.close()))
        source.on('error', (error) => once(() => controller.error(error)))
        source.on('close', () => once(() => controller.error(new Error('The stream broke off'))))
      },
      pull() {
        source.resume()
      },
      cancel() {
        once(() => source.destroy())
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark }),
  )
}
