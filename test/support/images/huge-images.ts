/** Files of a few dozen bytes that are valid pictures of almost 100 million pixels. */

/** A lossless WebP of one colour: a header and five codes without a bit. */
export function hugeWebp(width = 16_383, height = 6_100): Uint8Array {
  const bits = (width - 1) | ((height - 1) << 14)
  const file = Buffer.alloc(38)
  file.write('RIFF', 0, 'latin1')
  file.writeUInt32LE(30, 4)
  file.write('WEBPVP8L', 8, 'latin1')
  file.writeUInt32LE(17, 16)
  file[20] = 0x2f
  file.writeUInt32LE(bits >>> 0, 21)
  // No transform, no colour cache, no further codes; then simple codes, each of one symbol.
  file.set([0x88, 0x88, 0x08], 25)
  return file
}
