/**
 * Checksums of weights: AES-128-GMAC (NIST SP 800-38D), since processors compute it at 13 to 19 GB/s, ten times as fast as SHA-256.
 *
 * The key is public, so this finds damage, not forgery; whoever can forge weights can forge the manifest beside them as well.
 * Two contents of n blocks of 16 bytes have the same checksum only if the key is a root of a polynomial of degree n + 1, so for
 * at most n + 1 of 2^128 keys (McGrew and Viega, "The Security and Performance of the Galois/Counter Mode of Operation", 2004). A
 * part of 16 MB whose damage has nothing to do with the key passes with a probability of less than 2^-107. Damage within one block never
 * passes, nor do two blocks that changed places: the powers of this key's hash subkey repeat only after 2^128 - 1.
 */
import { createCipheriv, type CipherGCM } from 'node:crypto'

/** Those of a published test vector, which shows that any implementation of GCM finds the same checksums. */
const key = Buffer.from('77be63708971c4e240d1cb79e8d77feb', 'hex')
const nonce = Buffer.from('e0e00f19fed7ba0136a797f3', 'hex')

/** The checksum of bytes that arrive in pieces of any length. */
export class Checksum {
  readonly #mac: CipherGCM = createCipheriv('aes-128-gcm', key, nonce, { authTagLength: 16 })

  add(bytes: Uint8Array): this {
    this.#mac.setAAD(bytes)
    return this
  }

  /** To be called once, after all pieces. @returns 32 hexadecimal digits */
  end(): string {
    this.#mac.final()
    return this.#mac.getAuthTag().toString('hex')
  }
}

export function checksumOf(bytes: Uint8Array): string {
  return new Checksum().add(bytes).end()
}
