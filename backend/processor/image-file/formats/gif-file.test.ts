import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { decodeImage, readImageHeader } from '../../image/decode-image.ts'

const damaged = { code: 'invalid_image', message: 'the file is damaged or incomplete' }
const decode = async (file: Uint8Array) => decodeImage(await readImageHeader(file))

/** A picture of many colours, so that its codes reach every length and are cleared. */
const photo = () =>
  sharp(readFileSync('test/golden/images/g09.jpg')).resize(300, 200).gif({ effort: 1 }).toBuffer()

/** The position of each data block of the first frame, and that of the empty one behind them. */
function blocksOf(file: Buffer): number[] {
  const table = (packed: number) => ((packed & 0x80) === 0 ? 0 : 3 * 2 ** ((packed & 7) + 1))
  let at = 13 + table(file[10]!)
  while (file[at] === 0x21) {
    at += 2
    while (file[at] !== 0) at += 1 + file[at]!
    at += 1
  }
  at += 11 + table(file[at + 9]!)
  const blocks = [at]
  for (; file[at] !== 0; blocks.push(at)) at += 1 + file[at]!
  return blocks
}

describe('a GIF', () => {
  it.each([
    ['its trailer', 1],
    ['its trailer and the end of its blocks', 2],
  ])('is read without %s', async (_, missing) => {
    const file = await photo()
    const { rgb } = await decode(file)
    expect(Buffer.compare((await decode(file.subarray(0, -missing))).rgb, rgb)).toBe(0)
  })

  it('is read without the end of its blocks before the trailer', async () => {
    const file = await photo()
    const end = blocksOf(file).at(-1)!
    const other = Buffer.concat([file.subarray(0, end), file.subarray(end + 1)])
    expect(Buffer.compare((await decode(other)).rgb, (await decode(file)).rgb)).toBe(0)
  })

  it('is damaged when it lacks pixels, even if its blocks end properly', async () => {
    const file = await photo()
    const blocks = blocksOf(file)
    expect(blocks.length).toBeGreaterThan(20)
    for (const kept of [0, 1, Math.floor(blocks.length / 2), blocks.length - 2]) {
      const short = Buffer.concat([file.subarray(0, blocks[kept]), Buffer.of(0, 0x3b)])
      await expect(decode(short)).rejects.toMatchObject(damaged)
    }
  })

  /** One row of pixels, each of 0, in a frame of this width. */
  const row = (width: number, rootBits: number, ...codes: number[]) =>
    Buffer.concat([
      Buffer.from('GIF89a'),
      Buffer.of(3, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255),
      Buffer.of(0x2c, 0, 0, 0, 0, width, 0, 1, 0, 0, rootBits),
      Buffer.of(codes.length, ...codes, 0, 0x3b),
    ])

  it('is damaged when its frame has no pixels', async () => {
    // Codes of 3 bits: clear, three times 0, end.
    const codes = [0b00000100, 0b01010000]
    expect(await decode(row(3, 2, ...codes))).toMatchObject({ width: 3, height: 1 })
    await expect(decode(row(0, 2, ...codes))).rejects.toMatchObject(damaged)
  })

  it('of codes that only some decoders read is refused by name', async () => {
    await expect(decode(row(3, 1, 0b00000010, 0b11))).rejects.toMatchObject({
      code: 'unsupported_image',
      message: 'GIF with 1-bit codes is not supported',
    })
  })
})
