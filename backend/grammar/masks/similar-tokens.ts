import type { PatternTables } from '../grammar.ts'
import type { CharacterTrie, LabelTrie } from './character-trie.ts'
import { ClassMerger, type MergedTokens } from './class-merger.ts'

/**
 * Nodes times labels to allocate room for while the tokens are merged: those of 163,840 become 7,500 sequences of 700 labels.
 */
const mostCells = 2 ** 23

const categories =
  'Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn'
    .split(' ')
    .map((name) => ({ name, has: new RegExp(`^\\p{${name}}$`, 'u') }))

/**
 * The tokens, merged where they differ only in characters that few patterns tell apart, once for all patterns. To merge these
 * further for one pattern takes a third of the time, or less, that merging all tokens takes.
 */
export class SimilarTokens {
  /** Undefined when there was no room. */
  readonly #trie: LabelTrie | undefined
  /** By label of a character: that of all similar ones. */
  readonly #labelOf: Int32Array
  /** By label of similar ones: one of them. */
  readonly #ones: Int32Array

  constructor({ staying, labelTexts }: Pick<CharacterTrie, 'staying' | 'labelTexts'>) {
    const labels = new Map<string, number>()
    const ones: number[] = []
    this.#labelOf = Int32Array.from(labelTexts, (bytes, one) => {
      const name = nameOf(bytes)
      const label = labels.get(name) ?? ones.push(one) - 1
      labels.set(name, label)
      return label
    })
    this.#ones = Int32Array.from(ones)
    const merger = new ClassMerger(staying.values.values.length, mostCells)
    this.#trie = merger.mergeBy(staying, this.#labelOf, ones.length)
  }

  /**
   * The merged tokens as a region of a pattern sees them.
   * @param reads by label of a character, as `CharacterTrie.reads`
   * @returns undefined when the region tells similar characters apart
   */
  in(
    { regions, classes }: PatternTables,
    region: number,
    reads: Int16Array,
  ): MergedTokens | undefined {
    const numbering = regions.classes.subarray(region * classes, (region + 1) * classes)
    if (this.#trie === undefined || !this.#areSame(numbering, reads)) return undefined
    return { trie: this.#trie, reads: Int16Array.from(this.#ones, (one) => reads[one]!) }
  }

  #areSame(numbering: Int16Array, reads: Int16Array): boolean {
    const labelOf = this.#labelOf
    const ones = this.#ones
    const numberOf = (read: number) => (read < -1 ? numbering[-2 - read]! : read)
    for (let label = 0; label < labelOf.length; label++) {
      if (numberOf(reads[label]!) !== numberOf(reads[ones[labelOf[label]!]!]!)) return false
    }
    return true
  }
}

/** Equal for similar characters. Escapes and beginnings of characters are similar to nothing. @param bytes one a character */
function nameOf(bytes: string): string {
  if (/^[a-z]$/.test(bytes)) return 'a'
  if (/^[A-Z]$/.test(bytes)) return 'A'
  if (/^[0-9]$/.test(bytes)) return '0'
  const text = Buffer.from(bytes, 'latin1').toString()
  const isWhole = Buffer.from(text).toString('latin1') === bytes
  // `\s` is all of these categories it has something of, but for U+FEFF.
  if (!isWhole || text < '\u0080' || text === '\ufeff') return bytes
  return categories.find(({ has }) => has.test(text))?.name ?? bytes
}
