import { maxUploadBytes } from '../../shared/api/limits.ts'
import { ChunkList } from '../../shared/bytes/chunk-list.ts'
import type { EdgeContext } from '../calls/context.ts'
import { type ClientBody, clientLeft, heldBody, passClientBody } from './client-body.ts'
import { mediaTypeOf } from './media-type.ts'

/** Bytes up to which a body is read completely before it is sent on: it can then go to another backend if one fails. */
export const smallBodyBytes = 1024 * 1024

/** How much of a larger one is read at least, in whole pieces, to see what it contains; the rest passes through. */
export const peekedBytes = 64 * 1024

export interface PeekedBody {
  /** Still complete. */
  readonly body: ClientBody
  /** Its beginning, or all of it. */
  readonly head: Uint8Array
  readonly isWhole: boolean
}

/** Looks at the beginning of a body that must be JSON. @throws {ServiceError} `unsupported_media_type`, or as `peekHead` */
export async function peekJsonBody(c: EdgeContext): Promise<PeekedBody> {
  mediaTypeOf(c.req.raw.headers, ['application/json'])
  return peekHead(passClientBody(c, maxUploadBytes))
}

/** Looks at the beginning of a body. @throws {ServiceError} the reason why it broke */
export async function peekHead(body: ClientBody): Promise<PeekedBody> {
  const { stream, length = Infinity } = body
  if (stream instanceof Uint8Array) return peekHeld(body, stream)
  const wanted = length <= smallBodyBytes ? Infinity : peekedBytes
  const { head, ended } = await readHead(stream, wanted).catch((cause: unknown) => {
    throw body.failure() ?? clientLeft(cause)
  })
  if (ended) return { body: heldBody(head), head, isWhole: true }
  return { body: { ...body, stream: withHead(head, stream) }, head, isWhole: false }
}

/** Inspects no more of a body that is held than of one that passes through: parsing 16 MB takes seconds. */
function peekHeld(body: ClientBody, bytes: Uint8Array): PeekedBody {
  if (bytes.byteLength <= smallBodyBytes) return { body, head: bytes, isWhole: true }
  return { body, head: bytes.subarray(0, peekedBytes), isWhole: false }
}

async function readHead(
  source: AsyncIterator<Uint8Array>,
  wantedBytes: number,
): Promise<{ head: Uint8Array; ended: boolean }> {
  const head = new ChunkList()
  for (let bytes = 0; bytes < wantedBytes;) {
    const next = await source.next()
    if (next.done === true) return { head: head.join(), ended: true }
    // Copied, because it is kept beyond the next piece.
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
