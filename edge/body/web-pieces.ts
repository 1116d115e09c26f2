/** Bytes of a piece: a large upload in the 4 KB that workerd reads by default would be 25,000 of them. */
const pieceBytes = 256 * 1024

/**
 * A web stream in large pieces, as they come. All of them share one buffer: a piece is gone once the next one is asked
 * for, as 100 MB of pieces would fill a Worker before they are collected. Leaving the loop early cancels the stream.
 */
export async function* piecesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader({ mode: 'byob' })
  let buffer = new ArrayBuffer(pieceBytes)
  let ended = false
  try {
    for (;;) {
      const piece = await readFull(reader, buffer)
      if (piece === undefined) {
        ended = true
        return
      }
      yield piece
      buffer = piece.buffer
    }
  } finally {
    if (!ended) reader.cancel().catch(() => undefined)
  }
}

/** With the `min` of the Streams Standard, which TypeScript does not know yet. */
interface FillingReader {
  read(
    view: Uint8Array<ArrayBuffer>,
    options: { readonly min: number },
  ): Promise<{ readonly value?: Uint8Array<ArrayBuffer> | undefined }>
}

/**
 * Waits until the buffer is full or the stream has ended: each wake of JavaScript costs more than many reads.
 * @returns what there was, over a buffer that takes the place of this one; undefined at the end
 */
export async function readFull(
  reader: ReadableStreamBYOBReader,
  buffer: ArrayBuffer,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const view = new Uint8Array(buffer)
  const filling = reader as unknown as FillingReader
  // The last bytes come with or before `done`, depending on the platform.
  const { value } = await filling.read(view, { min: view.byteLength })
  return value === undefined || value.byteLength === 0 ? undefined : value
}

/**
 * Makes a stream of pieces of which each is gone once the next one is asked for.
 * @param length of all together, in bytes; undefined when it is not known
 */
export type WebBody = (
  pieces: AsyncGenerator<Uint8Array>,
  length: number | undefined,
) => ReadableStream<Uint8Array>

/** Reads each piece when it is asked for, and copies it. */
export const copiedStream: WebBody = (pieces) =>
  new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await pieces.next()
        if (next.done === true) controller.close()
        else controller.enqueue(next.value.slice())
      },
      async cancel() {
        await pieces.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )
