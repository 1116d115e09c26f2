import type { Size } from '../../image/image-size.ts'

/** Position of the first chunk's content, after the RIFF header and the chunk's own name and length. */
const contentAt = 20

/**
 * Size stated by the first chunk: that of the canvas (RFC 9649, 2.7), of a lossless frame (3.4) or of a lossy one
 * (RFC 6386, 9.1). Frames of an animation never exceed the canvas.
 */
export function webpSize(file: Uint8Array): Size | undefined {
  if (file.length < contentAt + 10) return undefined
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  switch (String.fromCharCode(...file.subarray(12, 16))) {
    case 'VP8X':
      return {
        width: 1 + (view.getUint32(contentAt + 3, true) >>> 8),
        height: 1 + (view.getUint32(contentAt + 6, true) >>> 8),
      }
    case 'VP8L': {
      const bits = view.getUint32(contentAt + 1, true)
      return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) }
    }
    case 'VP8 ':
      return {
        width: view.getUint16(contentAt + 6, true) & 0x3fff,
        height: view.getUint16(contentAt + 8, true) & 0x3fff,
      }
    default:
      return undefined
  }
}
