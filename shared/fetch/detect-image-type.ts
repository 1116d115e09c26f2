export type ImageType =
  'image/jpeg' | 'image/png' | 'image/gif' | 'image/webp' | 'image/avif' | 'image/tiff'

/**
 * The type of an image file, judged by its first bytes regardless of what was declared; undefined for anything else.
 * Signatures that can be typed (GIF, WebP, AVIF) do not suffice, because a web page could begin with them, so what
 * must follow them is checked too.
 */
export function detectImageType(bytes: Uint8Array): ImageType | undefined {
  if (startsWith(bytes, [0xff, 0xd8, 0xff])) return bytes.length > 3 ? 'image/jpeg' : undefined
  if (startsWith(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) {
    return pngFirstChunks.includes(asciiAt(bytes, 12, 4)) ? 'image/png' : undefined
  }
  if (/^GIF8[79]a$/.test(asciiAt(bytes, 0, 6))) return isGif(bytes) ? 'image/gif' : undefined
  if (asciiAt(bytes, 0, 4) === 'RIFF' && asciiAt(bytes, 8, 4) === 'WEBP') {
    return isWebp(bytes) ? 'image/webp' : undefined
  }
  if (isTiff(bytes)) return 'image/tiff'
  return isAvif(bytes) ? 'image/avif' : undefined
}

/** The second is Apple's own variant: most programs do not accept it as PNG, but the decoder can explain that. */
const pngFirstChunks = ['IHDR', 'CgBI']

/** An extension or an image follows the screen descriptor and its colour table (GIF89a, sections 18 to 23). */
function isGif(bytes: Uint8Array): boolean {
  const packed = bytes[10] ?? 0
  const hasColours = (packed & 0x80) !== 0
  const colourBytes = hasColours ? 3 * 2 ** ((packed & 7) + 1) : 0
  const block = bytes[13 + colourBytes]
  return block === 0x21 || block === 0x2c
}

const webpChunks = ['VP8 ', 'VP8L', 'ICCP', 'ANIM', 'ALPH', 'EXIF', 'XMP ']

/** The start code of a key frame (RFC 6386, 9.1), of a lossless one (RFC 9649, 3.4), or another chunk (2.7). */
function isWebp(bytes: Uint8Array): boolean {
  switch (asciiAt(bytes, 12, 4)) {
    case 'VP8 ':
      return bytes[23] === 0x9d && bytes[24] === 0x01 && bytes[25] === 0x2a
    case 'VP8L':
      return bytes[20] === 0x2f && (bytes[24] ?? 0xff) >> 5 === 0
    case 'VP8X':
      return webpChunks.includes(asciiAt(bytes, 30, 4))
    default:
      return false
  }
}

/**
 * A header of either byte order whose first directory lies within these bytes and has whole entries (TIFF 6.0,
 * section 2; BigTIFF).
 */
function isTiff(bytes: Uint8Array): boolean {
  const order = asciiAt(bytes, 0, 2)
  if (bytes.length < 16 || (order !== 'II' && order !== 'MM')) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const littleEndian = order === 'II'
  const version = view.getUint16(2, littleEndian)
  if (version === 42) {
    const at = view.getUint32(4, littleEndian)
    return at + 2 <= bytes.length && at + 2 + 12 * view.getUint16(at, littleEndian) <= bytes.length
  }
  if (version !== 43) return false
  const at = Number(view.getBigUint64(8, littleEndian))
  if (at + 8 > bytes.length) return false
  return at + 8 + 20 * Number(view.getBigUint64(at, littleEndian)) <= bytes.length
}

const avifBrands = ['avif', 'avis']
/** Boxes that may follow `ftyp`. */
const topLevelBoxes = ['meta', 'moov', 'mdat', 'free', 'skip', 'uuid']

/** An ISO base media file whose `ftyp` box names AVIF as its main brand or a compatible one. */
function isAvif(bytes: Uint8Array): boolean {
  if (bytes.length < 16 || asciiAt(bytes, 4, 4) !== 'ftyp') return false
  const boxBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
  const brands = [asciiAt(bytes, 8, 4)]
  for (let at = 16; at + 4 <= Math.min(boxBytes, bytes.length, 256); at += 4) {
    brands.push(asciiAt(bytes, at, 4))
  }
  const isBranded = brands.some((brand) => avifBrands.includes(brand))
  return isBranded && topLevelBoxes.includes(asciiAt(bytes, boxBytes + 4, 4))
}

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((byte, at) => bytes[at] === byte)
}

function asciiAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length))
}
