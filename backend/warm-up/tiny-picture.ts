import { crc32, deflateSync } from 'node:zlib'

/** Pixels per side: a few patches, so that processing it costs next to nothing. */
const side = 56

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)

/** A whole PNG file: a light square on a dark background, 56 × 56 grey pixels of 8 bits. */
export function tinyPicture(): Uint8Array {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  // Bits per sample; colour type, compression, filter and interlace method are all 0: grey, deflate, none, none.
  header[8] = 8
  const pixels = deflateSync(greyRows())
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND')])
}

/** Each row begins with the number of its filter, 0 for none. */
function greyRows(): Uint8Array {
  const rows = new Uint8Array(side * (side + 1))
  for (let y = side / 4; y < (3 * side) / 4; y += 1) {
    const start = y * (side + 1) + 1
    rows.fill(220, start + side / 4, start + (3 * side) / 4)
  }
  return rows
}

/** Length, type, data and checksum of type and data (PNG specification, 5.3). */
function chunk(type: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  framed.set(body, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}
