/** `Content-Encoding` values that object stores and other servers send with files that are not encoded. */
const plainEncodings: ReadonlySet<string> = new Set([
  '',
  'identity',
  'none',
  'binary',
  '8bit',
  'utf-8',
  'utf8',
  'base64',
  'aws-chunked',
])

/** Whether a body may have to be decompressed. A body with an odd label is judged by its bytes. */
export function isCompressed(contentEncoding: string | null): boolean {
  const encodings = (contentEncoding ?? '').split(',')
  return !encodings.every((encoding) => plainEncodings.has(encoding.trim().toLowerCase()))
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * A `Location` as browsers understand it: servers send raw UTF-8 and spaces, although only ASCII is allowed (RFC
 * 9110, section 10.2.2). Node presents each byte of a header as one character and workerd decodes UTF-8; both give
 * the same result here.
 */
export function repairLocation(location: string): string {
  return fromBytes(location).trim().replaceAll(' ', '%20')
}

function fromBytes(text: string): string {
  const codes = Array.from(text, (character) => character.charCodeAt(0))
  if (codes.some((code) => code > 0xff)) return text
  try {
    return strictUtf8.decode(Uint8Array.from(codes))
  } catch {
    return text
  }
}
