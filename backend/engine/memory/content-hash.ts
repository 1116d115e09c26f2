import { createHash } from 'node:crypto'
import type { ImageSpan } from '../images/image-spans.ts'

/** Tokens that are cached and found together: few enough that even a short system prompt fills some blocks. */
export const blockTokens = 32

/**
 * Computes keys for a sequence's whole blocks of tokens, each from everything up to its end: the tenant, the ids, and
 * for placeholders the content of their image. Equal keys mean equal cache rows.
 */
export class BlockChain {
  readonly #keys: string[] = []
  readonly #spans: readonly ImageSpan[]
  readonly #imageKeys: readonly string[]
  #last: string

  /** @param imageKeys one per span */
  constructor(tenant: string, spans: readonly ImageSpan[], imageKeys: readonly string[]) {
    this.#last = JSON.stringify(tenant)
    this.#spans = spans
    this.#imageKeys = imageKeys
  }

  /** @param ids the sequence so far, growing from call to call. @returns one key per whole block */
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
