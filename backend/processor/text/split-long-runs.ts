/**
 * Consecutive characters of one class that are encoded together. Merging takes time quadratic in this: 100,000
 * Chinese characters take over 100 s in one run and about 1 s in runs of 1,000. No language writes runs this long.
 */
const maxRunChars = 1_000

const establishedHan = String.raw`[\u3400-\u4dbf\u4e00-\u9fff]`
const establishedLetters = String.raw`[[\u0000-\u07ff\u0e00-\u0e7f\u3040-\u30ff\uac00-\ud7a3${establishedHan}]&&[\p{L}\p{N}]]`

/**
 * Runs that the tokenizer's split pattern never cuts: Chinese characters, other letters, white space, signs. The
 * classes overlap, because combining marks join letters as well as signs. The tokenizer and this program may follow
 * different versions of Unicode, so a recent or unknown character counts as every class it may belong to.
 */
const unsplitClasses = [
  String.raw`[\p{Script=Han}\p{Cn}]`,
  String.raw`[[\p{L}\p{M}\p{Cn}]--${establishedHan}]`,
  String.raw`\p{White_Space}`,
  String.raw`[^\p{White_Space}${establishedLetters}]`,
]

/** Per class: a full run that continues (group 1: cut after it), or the remainder of a run. */
const runPatterns = unsplitClasses.map(
  (one) => new RegExp(`(${one}{${maxRunChars}}(?=${one}))|${one}+`, 'gv'),
)

/**
 * Splits text inside every run of one class that is longer than 1,000 characters. Joined, the pieces are the original
 * text; text without such runs is a single piece.
 */
export function splitLongRuns(text: string): string[] {
  if (text.length <= maxRunChars) return [text]
  const cuts = runPatterns
    .flatMap((pattern) => cutsBetween(text, pattern))
    .toSorted((a, b) => a - b)
  return [...cuts, text.length].map((cut, at) => text.slice(at === 0 ? 0 : cuts[at - 1], cut))
}

function cutsBetween(text: string, pattern: RegExp): number[] {
  const cuts: number[] = []
  for (const { index, 1: fullRun } of text.matchAll(pattern)) {
    if (fullRun !== undefined) cuts.push(index + fullRun.length)
  }
  return cuts
}
