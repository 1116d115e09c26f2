import { crc32, inflateSync } from 'node:zlib'

/** A chunk's name, content and place in the file. */
export interface PngChunk {
  readonly type: string
  readonly content: Uint8Array
  /** Position of its first byte, and that after its last. */
  readonly at: number
  readonly end: number
}

/**
 * EXIF as text, as programs kept it before PNG had a chunk for it, and some still do: under this name, the length in
 * bytes, and then hexadecimal digits in lines (ImageMagick's raw profiles).
 */
const profileName = 'Raw profile type exif'
const profileText = /^\s*exif\s+(\d{1,6})\s([\da-f\s]+)$/i

/** Precedes the TIFF structure of EXIF if it was copied from a JPEG. */
const jpegPrefix = 'Exif\0\0'

/** Characters of the text: two for each byte of the 64 KiB that a JPEG can hold, and line breaks. */
const maxProfileChars = 192 * 1024

/** Whether a chunk with plain (tEXt) or compressed text (zTXt) has our name. */
export function isExifText({ type, content }: PngChunk): boolean {
  if (type !== 'tEXt' && type !== 'zTXt') return false
  const name = content.subarray(0, profileName.length + 1)
  return Buffer.from(name).toString('latin1') === `${profileName}\0`
}

/** @returns an EXIF chunk with the content of such a text chunk; undefined when its text is something else */
export function exifChunkOf({ type, content }: PngChunk): Uint8Array | undefined {
  const text = profileIn(type, content)
  if (text === undefined) return undefined
  const [, length, digits] = profileText.exec(text) ?? []
  if (length === undefined || digits === undefined) return undefined
  const bytes = Buffer.from(digits.replaceAll(/\s/g, ''), 'hex')
  if (bytes.length !== Number(length)) return undefined
  const hasPrefix = bytes.toString('latin1', 0, jpegPrefix.length) === jpegPrefix
  return chunkOf('eXIf', hasPrefix ? bytes.subarray(jpegPrefix.length) : bytes)
}

function profileIn(type: string, content: Uint8Array): string | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const text = bytes.subarray(profileName.length + 1)
  if (type === 'tEXt') return text.length > maxProfileChars ? undefined : text.toString('latin1')
  try {
    // The first byte names the compression method, of which zlib's is the only one.
    return inflateSync(text.subarray(1), { maxOutputLength: maxProfileChars }).toString('latin1')
  } catch {
    return undefined
  }
}

function chunkOf(type: string, content: Uint8Array): Uint8Array {
  const chunk = Buffer.alloc(content.length + 12)
  chunk.writeUInt32BE(content.length, 0)
  chunk.write(type, 4, 'latin1')
  chunk.set(content, 8)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), content.length + 8)
  return chunk
}
