import { ChunkList } from '../../shared/bytes/chunk-list.ts'
import { MultipartScanner } from '../../shared/multipart/multipart-scanner.ts'
import { imageAffinity, imageHeadBytes } from '../backends/affinity.ts'
import { type ClientBody, clientLeft, heldBody } from './client-body.ts'

/** Bytes of an upload that is read whole before it is sent on: it can then go to another backend if one fails. */
const smallUploadBytes = 1024 * 1024

/** Bytes of a larger one that are read at least, in whole pieces, to see which image it holds; the rest passes through. */
const peekedBytes = 64 * 1024

/**
 * Looks into an upload for its first image, so that questions about one image meet the backend that has seen it.
 * @returns a body that is still whole, and what the choice of the backend sticks to
 * @throws {ServiceError} why the body broke
 */
export async function peekUpload(
  body: ClientBody,
  boundary: string,
): Promise<{ readonly body: ClientBody; readonly affinity: string | undefined }> {
  const { stream, length = Infinity } = body
  if (stream instanceof Uint8Array) return { body, affinity: firstImage(stream, boundary) }
  const wanted = length <= smallUploadBytes ? Infinity : peekedBytes
  const { head, ended } = await readHead(stream, wanted).catch((cause: unknown) => {
    throw body.failure() ?? clientLeft(cause)
  })
  const affinity = firstImage(head, boundary)
  if (ended) return { body: heldBody(head), affinity }
  return { body: { ...body, stream: withHead(head, stream) }, affinity }
}

async function readHead(
  source: AsyncIterator<Uint8Array>,
  wantedBytes: number,
): Promise<{ head: Uint8Array; ended: boolean }> {
  const head = new ChunkList()
  for (let bytes = 0; bytes < wantedBytes;) {
    const next = await source.next()
    if (next.done === true) return { head: head.join(), ended: true }
    // Kept beyond the next piece.
    head.push(next.value.slice())
    bytes += next.value.byteLength
  }
  return { head: head.join(), ended: false }
}

async function* withHead(
  head: Uint8Array,
  source: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let ended = false
  try {
    yield head
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

function firstImage(upload: Uint8Array, boundary: string): string | undefined {
  const image = firstFile(upload.subarray(0, peekedBytes), boundary)
  return image === undefined ? undefined : imageAffinity(image)
}

/** The beginning of the first file that is not empty, as far as it decides; undefined where there is none. */
function firstFile(head: Uint8Array, boundary: string): Uint8Array | undefined {
  const file = new ChunkList()
  let bytes = 0
  let isFile = false
  try {
    for (const event of new MultipartScanner(boundary).push(head)) {
      if (event.type === 'part') isFile = event.head.fileName !== undefined
      else if (event.type === 'bytes' && isFile) {
        file.push(event.bytes)
        bytes += event.bytes.length
      }
      if (bytes >= imageHeadBytes || (event.type === 'end' && bytes > 0)) break
    }
  } catch {
    // Whatever is wrong with the form, the backend will say it.
    return undefined
  }
  return bytes === 0 ? undefined : file.join()
}
