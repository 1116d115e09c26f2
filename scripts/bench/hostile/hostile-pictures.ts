import { pipeline } from 'node:stream/promises'
import { crc32, createDeflate } from 'node:zlib'
import sharp from 'sharp'
import { hugeWebp } from '../../../test/support/images/huge-images.ts'
import { jpegOfScans } from '../../../test/support/images/jpeg-file.ts'
import { tiffFile } from '../../../test/support/images/tiff-file.ts'

/** The largest square that is not refused for its pixels. */
const side = 9_900

/** Valid or nearly valid pictures that are small files and much work, made one at a time: each takes memory. */
export const hostilePictures: Readonly<Record<string, () => Uint8Array | Promise<Uint8Array>>> = {
  'TIFF, LZW': () => flat(side).tiff({ compression: 'lzw' }).toBuffer(),
  'TIFF, a strip for each row': () => {
    const pixel = [136, 136, 136]
    const row = Buffer.alloc(3 * side, 136)
    return tiffFile({ pixel, side, strips: side, strip: row })
  },
  PNG: () => flat(side).png().toBuffer(),
  'PNG, Paeth filter': () => paethPng(8_165),
  'PNG, interlaced': () => flat(side).png({ progressive: true }).toBuffer(),
  'JPEG, progressive': () => flat(9_000).jpeg({ progressive: true }).toBuffer(),
  'JPEG, 199 scans': () => jpegOfScans({ side: 1_000, emptyScans: 198 }),
  'WebP, lossless': () => hugeWebp(),
  'GIF, 1,000 frames': () => {
    const [width, pages] = [300, 1_000]
    const input = Buffer.alloc(3 * width ** 2 * pages, 90)
    for (let page = 0; page < pages; page++) input[3 * width ** 2 * page] = page
    const raw = { width, height: width * pages, channels: 3, pageHeight: width } as const
    return sharp(input, { raw }).gif({ effort: 1 }).toBuffer()
  },
  AVIF: () => flat(6_000).avif({ effort: 0, quality: 30 }).toBuffer(),
  'AVIF, noise': () => noise(2_400).avif({ effort: 0, quality: 80 }).toBuffer(),
}

/** Files near the limit of one, while they are uploaded. */
export const largeUploads: Readonly<Record<string, () => Promise<Uint8Array>>> = {
  'PNG of 20 MB': () => noise(2_550).png({ compressionLevel: 0 }).toBuffer(),
  'JPEG of 15 MB': () => noise(2_270).jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer(),
}

function flat(size: number) {
  const create = { width: size, height: size, channels: 3, background: '#a08030' } as const
  return sharp({ create })
}

/** Pixels without a pattern, always the same. */
function noise(size: number) {
  const pixels = Buffer.alloc(3 * size ** 2)
  let state = 1
  for (let index = 0; index < pixels.length; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    pixels[index] = state >>> 24
  }
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
}

/** 200 MB of pixels in the slowest filter to undo. */
async function paethPng(size: number): Promise<Uint8Array> {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(size, 0)
  header.writeUInt32BE(size, 4)
  header.set([8, 2], 8)
  const row = Buffer.from(Array.from({ length: 1 + 3 * size }, (_, at) => (at === 0 ? 4 : at % 7)))
  const packed: Buffer[] = []
  await pipeline(
    function* rows() {
      for (let count = 0; count < size; count++) yield row
    },
    createDeflate({ level: 1 }),
    async (pieces: AsyncIterable<Buffer>) => {
      for await (const piece of pieces) packed.push(piece)
    },
  )
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  const chunks = [chunk('IHDR', header), chunk('IDAT', Buffer.concat(packed))]
  return Buffer.concat([signature, ...chunks, chunk('IEND', Buffer.alloc(0))])
}

function chunk(type: string, data: Uint8Array): Buffer {
  const content = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const ends = Buffer.alloc(8)
  ends.writeUInt32BE(data.length, 0)
  ends.writeUInt32BE(crc32(content), 4)
  return Buffer.concat([ends.subarray(0, 4), content, ends.subarray(4)])
}
