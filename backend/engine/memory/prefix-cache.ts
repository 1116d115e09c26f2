import type { Model, RowsId, SlotId } from '../../model/model.ts'
import { blockTokens } from './content-hash.ts'

type RowKeeper = Pick<Model, 'keepRows' | 'restoreRows' | 'dropRows'>

/**
 * Cache rows of earlier prompts and answers, in blocks, as a start for later sequences. Using a block also uses all
 * blocks before it, and these count as used later; so the first block to be evicted never has another one after it.
 */
export class PrefixCache {
  readonly #model: RowKeeper
  /** By key; the least recently used first. */
  readonly #blocks = new Map<string, RowsId>()

  constructor(model: RowKeeper) {
    this.#model = model
  }

  /** Memory in use, in tokens. */
  get tokens(): number {
    return this.#blocks.size * blockTokens
  }

  /** How many of the leading tokens behind `keys` it holds. */
  tokensOf(keys: readonly string[]): number {
    return this.#present(keys) * blockTokens
  }

  /** Marks the leading blocks of `keys` as recently used. */
  touch(keys: readonly string[]): void {
    for (const key of keys.slice(0, this.#present(keys)).toReversed()) {
      const rows = this.#blocks.get(key)!
      this.#blocks.delete(key)
      this.#blocks.set(key, rows)
    }
  }

  /** Fills an empty slot with the given leading blocks, all of which it must have. */
  restore(slot: SlotId, keys: readonly string[]): void {
    for (const key of keys) this.#model.restoreRows(slot, this.#blocks.get(key)!)
  }

  /**
   * Copies those of a slot's blocks that are not here yet, within `maxTokens` for the whole cache; less recently used
   * blocks are evicted for them.
   */
  store(slot: SlotId, keys: readonly string[], maxTokens: number): void {
    this.touch(keys)
    const own = new Set(keys)
    for (let block = this.#present(keys); block < keys.length; block++) {
      while (this.tokens + blockTokens > maxTokens && this.#evictOldest(own));
      if (this.tokens + blockTokens > maxTokens) break
      const from = block * blockTokens
      this.#blocks.set(keys[block]!, this.#model.keepRows(slot, from, from + blockTokens))
    }
    this.touch(keys)
  }

  /** Evicts the least recently used blocks until at most `maxTokens` are left. */
  shrink(maxTokens: number): void {
    while (this.tokens > maxTokens) this.#evictOldest(new Set())
  }

  /** How many leading `keys` are present. */
  #present(keys: readonly string[]): number {
    const missing = keys.findIndex((key) => !this.#blocks.has(key))
    return missing < 0 ? keys.length : missing
  }

  /** @returns false when there is none except those to be spared */
  #evictOldest(spared: ReadonlySet<string>): boolean {
    const oldest = this.#blocks.entries().next().value
    if (oldest === undefined || spared.has(oldest[0])) return false
    this.#blocks.delete(oldest[0])
    this.#model.dropRows(oldest[1])
    return true
  }
}
