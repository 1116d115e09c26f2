/** Labels of a trie, in 64 groups: bits of two words. */
export interface LabelGroups {
  /** By label. */
  readonly ofLabel: Uint8Array
  /**
   * By node, four words, adjacent so that they are in the processor's cache together: the groups of the labels at it and below
   * it; how many labels in a row these are at most; nothing.
   */
  readonly within: Int32Array
}

/** The part of a `LabelTrie` that groups depend on. */
interface Labelled {
  readonly labels: Int32Array
  readonly depths: Uint16Array
  readonly heights: Uint16Array
  readonly longest: number
}

/** Small letters have a group each, since tokens of many languages consist of them. */
const groupOfOtherAscii = { capital: 26, digit: 27, space: 28, other: 29 } as const
const groupsOfOthers = { first: 30, count: 34 } as const

/** @param labelTexts the bytes of each label, one a character */
export function labelGroupsOf(trie: Labelled, labelTexts: readonly string[]): LabelGroups {
  const ofLabel = Uint8Array.from(labelTexts, groupOf)
  const { labels, depths, heights } = trie
  const within = new Int32Array(4 * labels.length)
  // By depth, two words: the groups below the latest node above it.
  const below = new Int32Array(2 * (trie.longest + 2))
  for (let at = labels.length - 1; at > 0; at--) {
    const depth = depths[at]!
    const group = ofLabel[labels[at]!]!
    for (const word of [0, 1]) {
      const own = group >> 5 === word ? 1 << (group & 31) : 0
      const groups = own | below[2 * (depth + 1) + word]!
      within[4 * at + word] = groups
      below[2 * depth + word]! |= groups
      below[2 * (depth + 1) + word] = 0
    }
    within[4 * at + 2] = heights[at]! + 1
  }
  return { ofLabel, within }
}

function groupOf(bytes: string, label: number): number {
  if (/^[a-z]$/.test(bytes)) return bytes.charCodeAt(0) - 'a'.charCodeAt(0)
  if (/^[A-Z]$/.test(bytes)) return groupOfOtherAscii.capital
  if (/^[0-9]$/.test(bytes)) return groupOfOtherAscii.digit
  if (bytes === ' ') return groupOfOtherAscii.space
  if (bytes < '\u0080') return groupOfOtherAscii.other
  return groupsOfOthers.first + (label % groupsOfOthers.count)
}
