import type { Tokenizer } from '../../processor/tokenizer.ts'

/** Texts of which others have published the ids that the tokenizer of moonshotai/Kimi-VL-A3B makes of them. */
const published: readonly (readonly [string, readonly number[]])[] = [
  ['What is in the picture?', [5376, 387, 306, 276, 8968, 30]],
  ['A disc on a gradient.', [32, 2846, 418, 261, 36192, 13]],
  ['Hello! How can I assist', [19180, 0, 3653, 691, 374, 8593]],
  [
    'The character has large, expressive eyes and a surprised or shocked facial expression.',
    [1008, 6162, 924, 4393, 11, 98717, 11002, 316, 261, 21478, 528, 54275, 37632, 11276, 13],
  ],
  ['!', [0]],
  [',', [11]],
  ['.', [13]],
  ['\n', [198]],
]

/** Text tokens of that tokenizer. */
const publishedVocabulary = 163_584

/** @returns undefined for another tokenizer, of which nothing is published; otherwise what is not as published */
export function comparePublishedIds(
  { encodeOrdinary }: Tokenizer,
  baseVocabulary: number,
): { readonly texts: number; readonly problems: readonly string[] } | undefined {
  if (baseVocabulary !== publishedVocabulary) return undefined
  const problems = published.flatMap(([text, ids]) => {
    const made = [...encodeOrdinary(text)]
    return made.join() === ids.join()
      ? []
      : [`${JSON.stringify(text)} becomes ${made.join()}, not ${ids.join()}`]
  })
  return { texts: published.length, problems }
}
