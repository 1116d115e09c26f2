import { joinChunks } from '../../shared/fetch/read-limited.ts'

/**
 * Equal for requests that ask for the same, other ones differ: SHA-256 over the path, what of the headers decides about
 * the answer, and the body. The boundary of a multipart body is left out, since clients make a new one each time.
 */
export async function fingerprintOf(
  path: string,
  headers: Headers,
  body: Uint8Array,
): Promise<string> {
  const contentType = headers.get('content-type') ?? ''
  const mediaType = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const boundary = /;\s*boundary="?([^";]+)"?/i.exec(contentType)?.[1]
  const head = [path, mediaType, headers.get('accept') ?? '', ''].join('\n')
  const pieces = boundary === undefined ? [body] : withoutText(body, boundary)
  const bytes = joinChunks([new TextEncoder().encode(head), ...pieces])
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** What lies before, between and after the occurrences of `text`. */
function withoutText(bytes: Uint8Array, text: string): Uint8Array[] {
  const wanted = new TextEncoder().encode(text)
  const pieces: Uint8Array[] = []
  let pieceStart = 0
  let at = bytes.indexOf(wanted[0]!)
  while (at >= 0) {
    if (wanted.every((byte, offset) => bytes[at + offset] === byte)) {
      pieces.push(bytes.subarray(pieceStart, at))
      pieceStart = at + wanted.length
      at = pieceStart - 1
    }
    at = bytes.indexOf(wanted[0]!, at + 1)
  }
  return [...pieces, bytes.subarray(pieceStart)]
}
