import { Tiktoken } from 'tiktoken/lite'
import { concatenateIds } from './concatenate-ids.ts'
import { splitLongRuns } from './split-long-runs.ts'

/** How the model's tokenizer splits text before merging bytes; Rust regex syntax, in which `&&` intersects classes. */
export const splitPattern = [
  String.raw`[\p{Han}]+`,
  String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?`,
  String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?`,
  String.raw`\p{N}{1,3}`,
  String.raw` ?[^\s\p{L}\p{N}]+[\r\n]*`,
  String.raw`\s*[\r\n]+`,
  String.raw`\s+(?!\S)`,
  String.raw`\s+`,
].join('|')

export interface Tokenizer {
  /**
   * Encodes text to base token ids. Anything that looks like a special token stays plain text; empty text has no ids.
   */
  readonly encodeOrdinary: (text: string) => Int32Array<ArrayBuffer>
}

/** @param ranks the validated text of tiktoken.model */
export function createTokenizer(ranks: string): Tokenizer {
  // Without special tokens in its table, the encoder cannot produce one.
  const encoder = new Tiktoken(ranks, {}, splitPattern)
  return {
    encodeOrdinary(text) {
      return concatenateIds(splitLongRuns(text).map((piece) => encoder.encode_ordinary(piece)))
    },
  }
}
