import type { TokenBytes } from '../config/tokenizer-file.ts'

/** Bytes of the longest token that is looked for. */
const longestToken = 24

/**
 * Encodes text by taking the longest token each time. The tokenizer may divide text differently, but into tokens of the
 * same vocabulary, which suffices to see how large activations are.
 */
export function roughEncoder({ bytes, starts }: TokenBytes): (text: string) => number[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const ids = new Map<string, number>()
  for (let id = 0; id + 1 < starts.length; id++) {
    ids.set(all.toString('latin1', starts[id], starts[id + 1]), id)
  }
  return (text) => {
    const rest = Buffer.from(text).toString('latin1')
    const found: number[] = []
    for (let at = 0; at < rest.length;) {
      let length = Math.min(longestToken, rest.length - at)
      // Every single byte is a token.
      while (!ids.has(rest.slice(at, at + length))) length -= 1
      found.push(ids.get(rest.slice(at, at + length))!)
      at += length
    }
    return found
  }
}
