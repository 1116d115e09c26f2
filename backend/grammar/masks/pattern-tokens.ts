import type { PatternTables } from '../grammar.ts'
import type { PatternString } from '../pieces/pattern-string.ts'
import type { CharacterTrie } from './character-trie.ts'
import type { ClassMerger, MergedTokens } from './class-merger.ts'
import { closingNumbers, InsideMasks } from './pattern-mask.ts'
import type { SimilarTokens } from './similar-tokens.ts'
import type { PatternPlace } from './follower.ts'
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
  /** Of a mask. */
  readonly words: number
}

/**
 * Nodes of the characters' trie up to which tokens are not merged first: after most parts of most patterns, such as
 * digits or a given text, few tokens may follow.
 */
const fewNodes = 8_192

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
  /** By region. */
  readonly #merged = new Map<number, InsideMasks>()
  /** By region: all tokens, as far as possible merged already. */
  readonly #similar = new Map<number, MergedTokens>()
  /** Regions with a mask that was made without merging. */
  readonly #visited = new Set<number>()

  constructor(piece: PatternString, parts: PatternParts) {
    this.#piece = piece
    this.#parts = parts
    const { characters } = parts
    const reads = characters.reads(piece.tables.decoder)
    this.#all = { trie: characters.staying, reads }
    this.#closing = { trie: characters.closing, reads }
    this.#numbers = new Int32Array(characters.closing.values.values.length)
    this.#blocks = new StateBlocks(piece.tables)
  }

  /** Size of what is not shared with other patterns. */
  get bytes(): number {
    let bytes = this.#all.reads.byteLength + this.#blocks.bytes
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
    return { piece: this.#piece, state, tokens: this.#similarIn(this.#regionOf(state)) }
  }

  #regionOf(state: number): number {
    return this.#piece.tables.regions.ofState[this.#piece.nodeOf(state)]!
  }

  #insideOf(state: number): Int32Array {
    const node = this.#piece.nodeOf(state)
    const region = this.#regionOf(state)
    const known = this.#merged.get(region)
    if (known !== undefined) return known.of(node)
    const unmerged = this.#masks(this.#all)
    return unmerged.of(node, fewNodes) ?? this.#mergeOnReturn(region, unmerged).of(node)
  }

  /** Merging all tokens takes several times as long as one mask without it, so a region's first mask is made without. */
  #mergeOnReturn(region: number, unmerged: InsideMasks): InsideMasks {
    const finer = this.#finer(region)
    const source = finer?.tokens ?? this.#similarIn(region)
    if (source === this.#all && !this.#visited.has(region)) {
      this.#visited.add(region)
      return unmerged
    }
    const isSmall = finer !== undefined && finer.size <= smallSize
    const masks = isSmall ? finer : this.#mergeFrom(source, region)
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
    return new InsideMasks(tokens, this.#piece, this.#blocks, this.#parts.words)
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
