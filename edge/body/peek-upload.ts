import { ChunkList } from '../../shared/bytes/chunk-list.ts'
import { MultipartScanner } from '../../shared/multipart/multipart-scanner.ts'
import { imageAffinity, imageHeadBytes } from '../../shared/balance/affinity.ts'
import type { ClientBody } from './client-body.ts'
import { peekedBytes, peekHead } from './peek-head.ts'

/**
 * Looks into an upload for its first image, so that questions about one image go to the backend that has seen it.
 * @returns a body that is still complete, and what the choice of the backend depends on
 * @throws {ServiceError} the reason why the body broke
 */
export async function peekUpload(
  body: ClientBody,
  boundary: string,
): Promise<{ readonly body: ClientBody; readonly affinity: string | undefined }> {
  const peeked = await peekHead(body)
  return { body: peeked.body, affinity: firstImage(peeked.head, boundary) }
}

function firstImage(upload: Uint8Array, boundary: string): string | undefined {
  const image = firstFile(upload.subarray(0, peekedBytes), boundary)
  return image === undefined ? undefined : imageAffinity(image)
}

/** The beginning of the first non-empty file, as far as it matters; undefined if there is none. */
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
    // If the form is malformed, the backend will report it.
    return undefined
  }
  return bytes === 0 ? undefined : file.join()
}
