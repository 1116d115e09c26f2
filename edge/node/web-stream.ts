import type { Readable } from 'node:stream'

/**
 * A Node stream as a web stream, at its reader's pace. Unlike with Readable.toWeb(), everything that arrived since the
 * last piece is passed on as one: each piece passes through many layers, and a burst of small events would do so event
 * by event.
 */
export function toWebStream(source: Readable): ReadableStream<Uint8Array> {
  let ended = false
  /** Set while the reader waits. */
  let giveNext: (() => void) | undefined
  const end = (finish: () => void) => {
    if (ended) return
    ended = true
    finish()
    giveNext?.()
  }
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        source.on('readable', () => giveNext?.())
        source.on('end', () => end(() => controller.close()))
        source.on('error', (error) => end(() => controller.error(error)))
        source.on('close', () => end(() => controller.error(new Error('The stream broke off'))))
      },
      pull: (controller) =>
        new Promise((resolve) => {
          giveNext = () => {
            const piece = ended ? null : (source.read() as Uint8Array | null)
            if (piece === null && !ended) return
            giveNext = undefined
            if (piece !== null) controller.enqueue(piece)
            resolve()
          }
          giveNext()
        }),
      cancel: () => end(() => source.destroy()),
    },
    { highWaterMark: 0 },
  )
}
