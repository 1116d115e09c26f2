import type { PatternTables } from '../../grammar.ts'
import type { ClassMerger, MergedTokens, Merging } from '../class-merger.ts'

/** Nodes of the tokens' trie that are merged with a mask: two or three milliseconds. All of them take up to 25. */
const nodesAtOnce = 32_768

/** Times that others are sent away before what was begun is given up: its answer has probably ended. */
const patience = 16

/** Who has tokens merged: equal only to itself. */
export type MergeKey = object

/** Merges all tokens for one region of one pattern at a time: a piece with each mask, which none has to wait for. */
export class GradualMerger {
  readonly #makeMerger: () => ClassMerger
  readonly #nodes: number
  /** Made when needed, because of its memory. */
  #merger: ClassMerger | undefined
  #key: MergeKey | undefined
  #merging: Merging | undefined
  #sentAway = 0

  /**
   * @param makeMerger makes one that nobody else uses
   * @param nodes of the tokens' trie at a time
   */
  constructor(makeMerger: () => ClassMerger, nodes = nodesAtOnce) {
    this.#makeMerger = makeMerger
    this.#nodes = nodes
  }

  /**
   * Merges the next piece for whoever has the key, unless it is another's turn.
   * @returns undefined until all are merged; 'no room' when there is none
   */
  advance(
    key: MergeKey,
    source: MergedTokens,
    tables: PatternTables,
    region: number,
  ): MergedTokens | 'no room' | undefined {
    if (!this.#takeTurn(key)) return undefined
    this.#merger ??= this.#makeMerger()
    this.#merging ??= this.#merger.begin(source, tables, region)
    const merged = this.#merging.advance(this.#nodes)
    if (merged === 'unfinished') return undefined
    this.#merging = undefined
    this.#key = undefined
    return merged ?? 'no room'
  }

  #takeTurn(key: MergeKey): boolean {
    const isOthers = this.#key !== undefined && this.#key !== key
    if (isOthers && ++this.#sentAway <= patience) return false
    if (isOthers) {
      this.#merging?.giveUp()
      this.#merging = undefined
    }
    this.#key = key
    this.#sentAway = 0
    return true
  }
}
