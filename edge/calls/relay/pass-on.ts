/** Bytes given to the client at a time: what sockets take at once. */
const pieceBytes = 64 * 1024

/**
 * A complete answer as the body of a response.
 * @param onSent called once the client has taken it, or has left
 * @returns a large one in pieces, at the client's pace; null for an empty one, which some statuses require
 */
export function passOn(
  bytes: Uint8Array<ArrayBuffer>,
  onSent: () => void,
): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null {
  if (bytes.byteLength <= pieceBytes) {
    onSent()
    return bytes.byteLength === 0 ? null : bytes
  }
  let at = 0
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.enqueue(bytes.subarray(at, at + pieceBytes))
        at += pieceBytes
        if (at < bytes.byteLength) return
        controller.close()
        onSent()
      },
      cancel: onSent,
    },
    { highWaterMark: 0 },
  )
}
