import type { Detokenizer } from '../processor.ts'
import type { TokenBytes } from '../../model/config/tokenizer-file.ts'

/**
 * Turns ids into text as they arrive. Bytes that may still become a character are held back; invalid bytes become
 * U+FFFD. Ids from the end of `tokens` upwards are control tokens and produce no text.
 */
export function createDetokenizer(tokens: TokenBytes): Detokenizer {
  // A byte order mark is an ordinary character here.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  return {
    push(ids) {
      const pieces = ids.map((id) => bytesOf(tokens, id))
      return decoder.decode(Buffer.concat(pieces), { stream: true })
    },
    flush() {
      return decoder.decode()
    },
  }
}

/** The text of a single token, with broken characters as U+FFFD. */
export function textOf(tokens: TokenBytes, id: number): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytesOf(tokens, id))
}

/** A token's own bytes; a control token has none. */
export function bytesOf({ bytes, starts }: TokenBytes, id: number): Uint8Array {
  const isText = id < starts.length - 1
  return isText ? bytes.subarray(starts[id], starts[id + 1]) : new Uint8Array()
}
