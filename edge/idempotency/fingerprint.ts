import { hexOf } from '../../shared/bytes/hex.ts'
import { joinChunks } from '../../shared/bytes/join-chunks.ts'
import { boundaryOf } from '../../shared/multipart/boundary.ts'
import { DelimiterFinder } from '../../shared/multipart/delimiter.ts'
import { maxFormParts } from '../../shared/multipart/multipart-scanner.ts'

/**
 * Equal for equivalent requests and different for others: SHA-256 over the path, the headers that affect the answer,
 * and the body. The boundary of a multipart body is left out, since clients make a new one each time.
 */
export async function fingerprintOf(
  path: string,
  headers: Headers,
  body: Uint8Array,
): Promise<string> {
  const contentType = headers.get('content-type') ?? ''
  const mediaType = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const boundary = boundaryOf(contentType)
  const parts = boundary === undefined ? [body] : partsOf(body, boundary)
  const lengths = parts.map((part) => part.byteLength).join(' ')
  const head = [path, mediaType, headers.get('accept') ?? '', lengths, ''].join('\n')
  const bytes = joinChunks([new TextEncoder().encode(head), ...parts])
  return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

/**
 * What lies before, between and after the delimiters of a multipart body, found as the parser of its parts finds them.
 * If there are more parts than a form may have, the form will be refused, and the rest counts as one part: there may be
 * millions.
 */
function partsOf(bytes: Uint8Array, boundary: string): Uint8Array[] {
  const finder = new DelimiterFinder(boundary)
  const parts: Uint8Array[] = []
  let start = 0
  while (parts.length <= maxFormParts) {
    const delimiter = finder.find(bytes, start)
    if (delimiter.kind === 'none') break
    parts.push(bytes.subarray(start, delimiter.start))
    start = delimiter.end
    if (delimiter.kind === 'last') break
  }
  return [...parts, bytes.subarray(start)]
}
