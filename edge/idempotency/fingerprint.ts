import { hexOf } from '../../shared/bytes/hex.ts'
import { joinChunks } from '../../shared/bytes/join-chunks.ts'

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
  const boundary = /;\s*boundary="?([^";]+)"?/i.exec(contentType)?.[1]
  const parts = boundary === undefined ? [body] : partsOf(body, boundary.trim())
  const lengths = parts.map((part) => part.byteLength).join(' ')
  const head = [path, mediaType, headers.get('accept') ?? '', lengths, ''].join('\n')
  const bytes = joinChunks([new TextEncoder().encode(head), ...parts])
  return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

/**
 * The content before, between and after the delimiters of a multipart body (RFC 2046): a boundary only counts at the
 * start of a line, where no part can contain it.
 */
function partsOf(bytes: Uint8Array, boundary: string): Uint8Array[] {
  const delimiter = new TextEncoder().encode(`\r\n--${boundary}`)
  const firstDelimiter = delimiter.subarray(2)
  const parts: Uint8Array[] = []
  let start = 0
  if (hasAt(bytes, 0, firstDelimiter)) {
    parts.push(bytes.subarray(0, 0))
    start = firstDelimiter.length
  }
  for (let at = bytes.indexOf(carriageReturn, start); at >= 0;) {
    const isDelimiter = hasAt(bytes, at, delimiter)
    if (isDelimiter) {
      parts.push(bytes.subarray(start, at))
      start = at + delimiter.length
    }
    at = bytes.indexOf(carriageReturn, isDelimiter ? start : at + 1)
  }
  return [...parts, bytes.subarray(start)]
}

const carriageReturn = 0x0d

function hasAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  return wanted.every((byte, offset) => bytes[at + offset] === byte)
}
