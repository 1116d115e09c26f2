export type ImageType = 'image/jpeg' | 'image/png' | 'image/gif' | 'image/webp' | 'image/avif'

/** The type of an image file by its first bytes, whatever anybody declared; undefined for everything else. */
export function detectImageType(bytes: Uint8Array): ImageType | undefined {
  if (startsWith(bytes, [0xff, 0xd8, 0xff])) return bytes.length > 3 ? 'image/jpeg' : undefined
  if (startsWith(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) {
    return asciiAt(bytes, 12, 4) === 'IHDR' ? 'image/png' : undefined
  }
  if (/^GIF8[79]a$/.test(asciiAt(bytes, 0, 6))) return bytes.length >= 13 ? 'image/gif' : undefined
  if (asciiAt(bytes, 0, 4) === 'RIFF' && /^WEBPVP8[ LX]$/.test(asciiAt(bytes, 8, 8))) {
    return 'image/webp'
  }
  return isAvif(bytes) ? 'image/avif' : undefined
}

/** ISO base media file whose `ftyp` box names the AVIF brand, as its main or as a compatible one. */
function isAvif(bytes: Uint8Array): boolean {
  if (bytes.length < 16 || asciiAt(bytes, 4, 4) !== 'ftyp') return false
  const boxBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
  const brands = [asciiAt(bytes, 8, 4)]
  for (let at = 16; at + 4 <= Math.min(boxBytes, bytes.length, 256); at += 4) {
    brands.push(asciiAt(bytes, at, 4))
  }
  return brands.includes('avif') || brands.includes('avis')
}

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((byte, at) => bytes[at] === byte)
}

function asciiAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length))
}
