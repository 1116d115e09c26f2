import type { PatternTables } from '../grammar.ts'
import type { PatternString } from '../pieces/pattern-string.ts'
import type { CharacterTrie } from './character-trie.ts'
import type { ClassMerger, MergedTokens } from './class-merger.ts'
import { closingNumbers, InsideMasks } from './pattern-mask.ts'
import type { SimilarTokens } from './similar-tokens.ts'
import type { PatternPlace } from './patterns/follower.ts'
import type { GradualMerger } from './patterns/gradual-merger.ts'
import { RefusedGroups } from './patterns/refused-groups.ts'
import { StateBlocks } from './state-blocks.ts'

/** The tokens allowed within a string, regardless of what follows it. */
export interface StringMask {
  /** Tokens that stay in the string. */
  readonly inside: Int32Array
  /** Those that close it, as indices in `ClosingTokens`. */
  readonly closing: Int32Array
}

/** What all patterns share. */
export interface PatternParts {
  readonly characters: CharacterTrie
  readonly similar: SimilarTokens
  readonly merger: ClassMerger
  readonly gradually: GradualMerger
  /** Of a mask. */
  readonly words: number
}

/**
 * Nodes of the characters' trie up to which tokens are not merged first: after most parts of most patterns, such as
 * digits or a given text, few tokens may follow.
 */
const fewNodes = 8_192

/** Masks of a region, for each of which many nodes were visited, from which on merging all tokens takes less time. */
const slowMasks = 2

/** Nodes of a merged trie up to which merging it further takes longer than it saves. */
const smallSize = 2_048

/** The tokens as one pattern sees them. What it cannot tell apart depends on the region of its states. */
export class PatternTokens {
  readonly #piece: PatternString
  readonly #parts: PatternParts
  /** All tokens, with a label for each character. */
  readonly #all: MergedTokens
  /** Those that close a string. */
  readonly #closing: MergedTokens
  /** Room for the numbers of all of them. */
  readonly #numbers: Int32Array
  readonly #blocks: StateBlocks
  readonly #refused: RefusedGroups
  /** By region. */
  readonly #merged = new Map<number, InsideMasks>()
  /** By region: all tokens, as far as possible merged already. */
  readonly #similar = new Map<number, MergedTokens>()
  /** All tokens as they are, for masks until they are merged. */
  #unmerged: InsideMasks | undefined
  /** By region: its masks so far for which many of them were visited. */
  readonly #slow = new Map<number, { masks: number }>()

  constructor(piece: PatternString, parts: PatternParts) {
    this.#piece = piece
    this.#parts = parts
    const { characters } = parts
    const reads = characters.reads(piece.tables.decoder)
    this.#all = { trie: characters.staying, reads }
    this.#closing = { trie: characters.closing, reads }
    this.#numbers = new Int32Array(characters.closing.values.values.length)
    this.#blocks = new StateBlocks(piece.tables)
    this.#refused = new RefusedGroups(piece, characters.groups, reads)
  }

  /** Size of what is not shared with other patterns. */
  get bytes(): number {
    let bytes = this.#all.reads.byteLength + this.#blocks.bytes + this.#refused.bytes
    for (const masks of new Set(this.#merged.values())) {
      if (masks.tokens !== this.#all) bytes += masks.bytes
    }
    return bytes
  }

  /** @param state between two characters */
  maskOf(state: number): StringMask {
    const inside = this.#piece.isFree(state)
      ? this.#parts.characters.allStaying
      : this.#insideOf(state)
    return { inside, closing: this.closingOf(state) }
  }

  /** The tokens that close the string, as indices in `ClosingTokens`. @param state between two characters */
  closingOf(state: number): Int32Array {
    return closingNumbers(this.#closing, this.#piece, state, this.#numbers)
  }

  /** @param state between two characters */
  placeOf(state: number): PatternPlace {
    const tokens = this.#similarIn(this.#regionOf(state))
    return { piece: this.#piece, state, tokens, refused: this.#refusedOf(tokens) }
  }

  #regionOf(state: number): number {
    return this.#piece.tables.regions.ofState[this.#piece.nodeOf(state)]!
  }

  #insideOf(state: number): Int32Array {
    const node = this.#piece.nodeOf(state)
    const region = this.#regionOf(state)
    const known = this.#merged.get(region)
    if (known !== undefined) return known.of(node)
    const few = (this.#unmerged ?? this.#masks(this.#all)).of(node, fewNodes)
    return few ?? this.#mergedIn(region)?.of(node) ?? this.#withoutMerging(node, region)
  }

  #withoutMerging(node: number, region: number): Int32Array {
    this.#unmerged ??= this.#masks(this.#all)
    const slow = this.#slow.get(region) ?? { masks: 0 }
    slow.masks += 1
    this.#slow.set(region, slow)
    // Not from the previous mask: where they differ much, both states would have to be followed.
    return this.#unmerged.beginWith(this.#parts.characters.allStaying).of(node)
  }

  /** Undefined if tokens are not merged, or not yet. */
  #mergedIn(region: number): InsideMasks | undefined {
    const finer = this.#finer(region)
    const source = finer?.tokens ?? this.#similarIn(region)
    if (source === this.#all) return this.#mergeGradually(region)
    const isSmall = finer !== undefined && finer.size <= smallSize
    const masks = isSmall ? finer : this.#mergeFrom(source, region)
    this.#merged.set(region, masks)
    return masks
  }

  /** Merging all tokens takes several times as long as a mask without it, so masks are made without it until it is done. */
  #mergeGradually(region: number): InsideMasks | undefined {
    const slow = this.#slow.get(region)
    if (slow === undefined || slow.masks < slowMasks) return undefined
    const { tables } = this.#piece
    const merged = this.#parts.gradually.advance(slow, this.#all, tables, region)
    if (merged === undefined) return undefined
    const masks = merged === 'no room' ? this.#unmerged! : this.#masks(merged)
    this.#merged.set(region, masks)
    return masks
  }

  /** Tokens that are merged already for a region that tells apart whatever this one does. */
  #finer(region: number): InsideMasks | undefined {
    return [...this.#merged].find(([other]) => isFiner(this.#piece.tables, other, region))?.[1]
  }

  #similarIn(region: number): MergedTokens {
    const known = this.#similar.get(region)
    if (known !== undefined) return known
    const { similar } = this.#parts
    const tokens = similar.in(this.#piece.tables, region, this.#all.reads) ?? this.#all
    this.#similar.set(region, tokens)
    return tokens
  }

  #mergeFrom(source: MergedTokens, region: number): InsideMasks {
    const merged = this.#parts.merger.merge(source, this.#piece.tables, region)
    return this.#masks(merged ?? this.#all)
  }

  #masks(tokens: MergedTokens): InsideMasks {
    const refused = this.#refusedOf(tokens)
    return new InsideMasks(tokens, this.#piece, this.#blocks, this.#parts.words, refused)
  }

  #refusedOf(tokens: MergedTokens): RefusedGroups | undefined {
    return tokens.trie === this.#all.trie ? this.#refused : undefined
  }
}

/** Whether one region tells apart whatever another does. */
function isFiner({ classes, regions }: PatternTables, one: number, other: number): boolean {
  const found = new Map<number, number>([[-1, -1]])
  for (let index = 0; index < classes; index++) {
    const finer = regions.classes[one * classes + index]!
    const coarser = regions.classes[other * classes + index]!
    if ((found.get(finer) ?? coarser) !== coarser) return false
    found.set(finer, coarser)
  }
  return true
}
