import type { WebBody } from '../body/web-pieces.ts'

/** Each piece is sent before the next one is requested, so that none has to be copied. */
export const pumpedStream: WebBody = (pieces, length) => {
  const { readable, writable } =
    length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length)
  void pump(pieces, writable.getWriter())
  return readable
}

async function pump(
  pieces: AsyncGenerator<Uint8Array>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
): Promise<void> {
  try {
    for await (const piece of pieces) await writer.write(piece)
    await writer.close()
  } catch (error) {
    // Informs the reader, if there still is one.
    writer.abort(error).catch(() => undefined)
  }
}
