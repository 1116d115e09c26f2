/** Bytes of a piece: in workerd's default pieces of 4 KB, a large upload would consist of 25,000. */
const pieceBytes = 256 * 1024

/**
 * A web stream in large pieces, as they arrive. All of them share one buffer, so a piece becomes invalid when the
 * next one is requested: otherwise 100 MB of pieces would fill a Worker before they are collected. Leaving the loop
 * early cancels the stream.
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

/** With the `min` option of the Streams Standard, which TypeScript's types lack. */
interface FillingReader {
  read(
    view: Uint8Array<ArrayBuffer>,
    options: { readonly min: number },
  ): Promise<{ readonly value?: Uint8Array<ArrayBuffer> | undefined }>
}

/**
 * Waits until the buffer is full or the stream has ended: each wake-up of JavaScript costs more than many reads.
 * @returns the bytes read, over a buffer that replaces this one; undefined at the end
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
 * Makes a stream from pieces, each of which becomes invalid when the next one is requested.
 * @param length of all pieces together, in bytes; undefined when unknown
 */
export type WebBody = (
  pieces: AsyncGenerator<Uint8Array>,
  length: number | undefined,
) => ReadableStream<Uint8Array>

/** Reads each piece on request, and copies it. */
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
