import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { decodeImage, readImageHeader } from '../../image/decode-image.ts'
import { readAvif } from './avif-file.ts'

const decode = async (file: Uint8Array) => decodeImage(await readImageHeader(file))

function box(type: string, ...content: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(8)
  const bytes = Buffer.concat([head, ...content])
  bytes.writeUInt32BE(bytes.length)
  bytes.write(type, 4, 'latin1')
  return bytes
}

const grey = 0x10
const colour = 0
const full = 0x80
const limited = 0

/** The head of an AVIF with these pictures, grey or not, and this range of luminance. */
function avifHead(pictures: readonly number[], range: number): Buffer {
  const codings = pictures.map((kind) => box('av1C', Buffer.of(0x81, 0, kind, 0)))
  const colours = Buffer.concat([Buffer.from('nclx'), Buffer.of(0, 1, 0, 13, 0, 1, range)])
  const properties = box('iprp', box('ipco', ...codings, box('colr', colours)))
  const brands = Buffer.from('avif\0\0\0\0avifmif1')
  return Buffer.concat([box('ftyp', brands), box('meta', Buffer.alloc(4), properties)])
}

describe('readAvif()', () => {
  it('reads pictures that name their brand only once', async () => {
    const file = await sharp({
      create: { width: 16, height: 16, channels: 3, background: '#408020' },
    })
      .avif({ effort: 0 })
      .toBuffer()
    const only = Buffer.from(file)
    for (let at = 16; at < only.readUInt32BE(0); at += 4) only.write('miaf', at, 'latin1')
    const [plain, other] = await Promise.all([decode(file), decode(only)])
    expect(Buffer.compare(other.rgb, plain.rgb)).toBe(0)
  })

  it.each([
    ['grey', [grey]],
    ['grey with transparency', [grey, grey]],
  ])('refuses %s of limited range, which the decoder does not widen', (_, pictures) => {
    expect(() => readAvif(avifHead(pictures, limited))).toThrow(
      expect.objectContaining({
        code: 'unsupported_image',
        message: 'AVIF in grey with limited range is not supported',
      }),
    )
  })

  it.each([
    ['grey of full range', [grey], full],
    ['colours of limited range', [colour], limited],
    ['colours of limited range with transparency', [colour, grey], limited],
  ])('reads %s', (_, pictures, range) => {
    expect(readAvif(avifHead(pictures, range))).toMatchObject({ type: 'heif' })
  })
})
