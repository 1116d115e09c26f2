import { joinChunks } from '../../shared/bytes/join-chunks.ts'
import { imageAffinity } from '../backends/affinity.ts'
import { type ClientBody, clientLeft, heldBody } from './client-body.ts'

/** Bytes of an upload that is read whole before it is sent on: it can then go to another backend if one fails. */
const smallUploadBytes = 1024 * 1024

/** Bytes of a larger one that are read at least, in whole pieces, to see which image it holds; the rest passes through. */
const peekedBytes = 64 * 1024

const fileHead = /content-disposition:[^\r\n]*\bfilename[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n/i

/**
 * Looks into an upload for its first image, so that questions about one image meet the backend that has seen it.
 * @returns a body that is still whole, and what the choice of the backend sticks to
 * @throws {ServiceError} why the body broke
 */
export async function peekUpload(
  body: ClientBody,
): Promise<{ readonly body: ClientBody; readonly affinity: string | undefined }> {
  const { stream, length = Infinity } = body
  if (stream instanceof Uint8Array) return { body, affinity: firstImage(stream) }
  const wanted = length <= smallUploadBytes ? Infinity : peekedBytes
  const { head, ended } = await readHead(stream, wanted).catch((cause: unknown) => {
    throw body.failure() ?? clientLeft(cause)
  })
  const bytes = joinChunks(head)
  const affinity = firstImage(bytes)
  if (ended) return { body: heldBody(bytes), affinity }
  return { body: { ...body, stream: withHead(head, stream) }, affinity }
}

async function readHead(
  source: AsyncIterator<Uint8Array>,
  wantedBytes: number,
): Promise<{ head: Uint8Array[]; ended: boolean }> {
  const head: Uint8Array[] = []
  for (let bytes = 0; bytes < wantedBytes;) {
    const next = await source.next()
    if (next.done === true) return { head, ended: true }
    // Kept beyond the next piece.
    head.push(next.value.slice())
    bytes += next.value.byteLength
  }
  return { head, ended: false }
}

async function* withHead(
  head: readonly Uint8Array[],
  source: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let ended = false
  try {
    yield* head
    for (;;) {
      const next = await source.next()
      if (next.done === true) {
        ended = true
        return
      }
      yield next.value
    }
  } finally {
    if (!ended) await source.return?.()
  }
}

function firstImage(upload: Uint8Array): string | undefined {
  // One character a byte, so that places in the text are places in the upload.
  const text = new TextDecoder('latin1').decode(upload.subarray(0, peekedBytes))
  const match = fileHead.exec(text)
  if (match === null) return undefined
  return imageAffinity(upload.subarray(match.index + match[0].length, peekedBytes))
}
