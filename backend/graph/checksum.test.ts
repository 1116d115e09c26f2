import { createCipheriv } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { randomValues } from '../../test/support/model/write-checkpoint.ts'
import { Checksum, checksumOf } from './checksum.ts'
import { bytesOf } from './weight-source.ts'

const content = bytesOf(randomValues(300_000, 1)).subarray(0, 1_000_003)

describe('Checksum', () => {
  it('is that of a test vector by NIST (gcmEncryptExtIV128.rsp, 128 bits of AAD and no text)', () => {
    const bytes = Buffer.from('7a43ec1d9c0a5a78a0b16533a6213cab', 'hex')
    expect(checksumOf(bytes)).toBe('209fcc8d3675ed938e9c7166709dd946')
  })

  it.each([0, 1, 15, 16, 17, 32, 1_000])('is GMAC as it is defined, of %i bytes', (length) => {
    const bytes = content.subarray(0, length)
    expect(checksumOf(bytes)).toBe(gmac(bytes))
  })

  it('does not depend on the pieces that bytes arrive in', () => {
    const cuts = [0, 0, 1, 6, 16, 33, 33, 1_000, 65_541, 999_999, content.length]
    const pieces = new Checksum()
    for (const [i, cut] of cuts.slice(1).entries()) pieces.add(content.subarray(cuts[i], cut))
    expect(pieces.end()).toBe(checksumOf(content))
    expect(new Checksum().end()).toBe(checksumOf(new Uint8Array()))
  })

  it('differs for every flipped bit, blocks that changed places, and every length', () => {
    const bytes = Uint8Array.from(content.subarray(0, 100))
    const seen = new Set([checksumOf(bytes)])
    for (let bit = 0; bit < 800; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      seen.add(checksumOf(bytes))
      bytes[bit >> 3]! ^= 1 << (bit & 7)
    }
    const [first, second] = [bytes.slice(0, 16), bytes.slice(16, 32)]
    seen.add(checksumOf(Buffer.concat([second, first, bytes.subarray(32)])))
    for (let length = 0; length < 100; length++) seen.add(checksumOf(new Uint8Array(length)))
    expect(seen.size).toBe(1 + 800 + 1 + 100)
  })
})

/** GMAC with the key and the nonce of the test vector: GHASH of the bytes and their length, masked with AES of the nonce. */
function gmac(bytes: Uint8Array): string {
  const key = Buffer.from('77be63708971c4e240d1cb79e8d77feb', 'hex')
  const cipher = createCipheriv('aes-128-ecb', key, null)
  const encrypt = (hex: string) => numberOf(cipher.update(Buffer.from(hex, 'hex')))
  const subkey = encrypt('0'.repeat(32))
  let hash = 0n
  for (let from = 0; from < bytes.length; from += 16) {
    const block = Buffer.alloc(16)
    block.set(bytes.subarray(from, from + 16))
    hash = product(hash ^ numberOf(block), subkey)
  }
  hash = product(hash ^ (BigInt(8 * bytes.length) << 64n), subkey)
  return (hash ^ encrypt('e0e00f19fed7ba0136a797f300000001')).toString(16).padStart(32, '0')
}

/** In the field of 2^128 elements, the first bit of a block being the coefficient of x^0. */
function product(left: bigint, right: bigint): bigint {
  let [sum, shifted] = [0n, right]
  for (let bit = 127n; bit >= 0n; bit--) {
    if ((left >> bit) & 1n) sum ^= shifted
    shifted = (shifted >> 1n) ^ (shifted & 1n ? 0xe1n << 120n : 0n)
  }
  return sum
}

function numberOf(block: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(block).toString('hex')}`)
}
