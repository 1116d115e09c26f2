import { createHash } from 'node:crypto'
import type { ImageSpan } from '../images/image-spans.ts'

/** Tokens that are cached and found together: small enough that a short system prompt fills some. */
export const blockTokens = 32

/**
 * Names a sequence's whole blocks of tokens, each by all that stands up to its end: tenant, ids, and in the place of
 * placeholders the content of their image. Equal names stand for equal cache rows.
 */
export class BlockChain {
  readonly #keys: string[] = []
  readonly #spans: readonly ImageSpan[]
  readonly #imageKeys: readonly string[]
  #last: string

  /** @param imageKeys one for each of `spans` */
  constructor(tenant: string, spans: readonly ImageSpan[], imageKeys: readonly string[]) {
    this.#last = JSON.stringify(tenant)
    this.#spans = spans
    this.#imageKeys = imageKeys
  }

  /** @param ids the sequence so far; longer from call to call. @returns one key for each whole block */
  keysOf(ids: Int32Array): readonly string[] {
    for (let end = (this.#keys.length + 1) * blockTokens; end <= ids.length; end += blockTokens) {
      this.#last = this.#keyOf(ids, end - blockTokens)
      this.#keys.push(this.#last)
    }
    return this.#keys
  }

  #keyOf(ids: Int32Array, start: number): string {
    const block = Int32Array.from(ids.subarray(start, start + blockTokens))
    const hash = createHash('sha256').update(`${this.#last}\n`).update(block)
    this.#spans.forEach((span, index) => {
      if (span.start >= start + blockTokens || span.start + span.tokens <= start) return
      hash.update(`${span.start - start} ${this.#imageKeys[index]!}\n`)
    })
    return hash.digest('base64')
  }
}
