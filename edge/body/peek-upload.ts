import { ChunkList } from '../../shared/bytes/chunk-list.ts'
import { MultipartScanner } from '../../shared/multipart/multipart-scanner.ts'
import { imageAffinity, imageHeadBytes } from '../backends/affinity.ts'
import type { ClientBody } from './client-body.ts'
import { peekedBytes, peekHead } from './peek-head.ts'

/**
 * Looks into an upload for its first image, so that questions about one image meet the backend that has seen it.
 * @returns a body that is still whole, and what the choice of the backend sticks to
 * @throws {ServiceError} why the body broke
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
