import type { RowsId, SlotId } from '../../model.ts'

/** Rows kept outside of any slot. */
interface KeptRows {
  /** Position of the first token: a row contains its rotated key, so it is only valid there. */
  readonly start: number
  readonly rows: Int32Array
}

interface RowCacheOptions {
  readonly slots: number
  /** Rows of the device's cache, the padding row included. */
  readonly rows: number
  /** The most tokens of one sequence. */
  readonly maxTokens: number
}

/** The row that unused places of a table point at; no token is ever written there. */
export const paddingRow = 0

/**
 * Which rows of the device's cache belong to which tokens. A row is written once and never changed while something refers
 * to it, so forks, kept rows and restored ones share rows and copy nothing.
 */
export class RowCache {
  readonly #options: RowCacheOptions
  readonly #slots: (SlotRows | undefined)[]
  readonly #kept = new Map<RowsId, KeptRows>()
  /** By row: the slots and kept rows that refer to it. */
  readonly #references: Uint16Array
  /** Free rows; the last is the next to be used. */
  readonly #free: number[]
  #nextRows = 0

  constructor(options: RowCacheOptions) {
    this.#options = options
    this.#slots = Array.from({ length: options.slots }, () => undefined)
    this.#references = new Uint16Array(options.rows)
    this.#free = Array.from({ length: options.rows - 1 }, (_, i) => options.rows - 1 - i)
  }

  /** Rows that nothing refers to. */
  get freeRows(): number {
    return this.#free.length
  }

  /** @throws {RangeError} when all slots are open */
  open(): SlotId {
    const index = this.#slots.findIndex((rows) => rows === undefined)
    if (index < 0) throw new RangeError(`all ${this.#slots.length} slots are open`)
    this.#slots[index] = new SlotRows(this.#options.maxTokens)
    return index as SlotId
  }

  close(slot: SlotId): void {
    this.truncate(slot, 0)
    this.#slots[slot] = undefined
  }

  /** See `Model.forkSlot`. */
  fork(source: SlotId, tokens: number): SlotId {
    const shared = this.#requireRows(source, tokens).rows(0, tokens)
    const slot = this.open()
    this.#share(slot, shared)
    return slot
  }

  /** See `Model.truncateSlot`. */
  truncate(slot: SlotId, tokens: number): void {
    const rows = this.#requireRows(slot, tokens)
    for (const row of rows.rows(tokens, rows.length)) this.#release(row)
    rows.length = tokens
  }

  length(slot: SlotId): number {
    return this.#rowsOf(slot).length
  }

  /** The cache rows of a slot's tokens [0, tokens). Not a copy. */
  table(slot: SlotId, tokens: number): Int32Array {
    return this.#requireRows(slot, tokens).rows(0, tokens)
  }

  /**
   * Adds `count` tokens with rows of their own, which are still to be written.
   * @throws {RangeError} when there are not enough free rows, or the sequence would exceed `maxTokens`
   */
  extend(slot: SlotId, count: number): void {
    const rows = this.#rowsOf(slot)
    if (count > this.#free.length) {
      throw new RangeError(`${count} tokens for ${this.#free.length} free rows of the cache`)
    }
    const added = this.#free.slice(this.#free.length - count).toReversed()
    rows.add(added)
    this.#free.length -= count
    for (const row of added) this.#references[row] = 1
  }

  /** See `Model.keepRows`. */
  keep(slot: SlotId, from: number, to: number): RowsId {
    if (from < 0 || from >= to) throw new RangeError(`there are no tokens ${from} to ${to}`)
    const rows = this.#requireRows(slot, to).rows(from, to).slice()
    for (const row of rows) this.#references[row]! += 1
    const id = this.#nextRows++ as RowsId
    this.#kept.set(id, { start: from, rows })
    return id
  }

  /** See `Model.restoreRows`. */
  restore(slot: SlotId, id: RowsId): void {
    const { start, rows } = this.#keptRows(id)
    const { length } = this.#rowsOf(slot)
    if (length !== start) {
      throw new RangeError(`rows of token ${start} cannot follow ${length} tokens`)
    }
    this.#share(slot, rows)
  }

  /** See `Model.dropRows`. */
  drop(id: RowsId): void {
    for (const row of this.#keptRows(id).rows) this.#release(row)
    this.#kept.delete(id)
  }

  #share(slot: SlotId, rows: Int32Array): void {
    this.#rowsOf(slot).add(rows)
    for (const row of rows) this.#references[row]! += 1
  }

  #release(row: number): void {
    this.#references[row]! -= 1
    if (this.#references[row] === 0) this.#free.push(row)
  }

  #requireRows(slot: SlotId, tokens: number): SlotRows {
    const rows = this.#rowsOf(slot)
    if (tokens <= rows.length) return rows
    throw new RangeError(`slot ${slot} holds fewer than ${tokens} tokens`)
  }

  #rowsOf(slot: SlotId): SlotRows {
    const rows = this.#slots[slot]
    if (rows === undefined) throw new RangeError(`slot ${slot} is not open`)
    return rows
  }

  #keptRows(id: RowsId): KeptRows {
    const kept = this.#kept.get(id)
    if (kept === undefined) throw new RangeError(`rows ${id} are not kept`)
    return kept
  }
}

/** The cache rows of one sequence's tokens, in order. */
class SlotRows {
  readonly #maxTokens: number
  #rows = new Int32Array(64)
  length = 0

  constructor(maxTokens: number) {
    this.#maxTokens = maxTokens
  }

  /** Those of tokens [from, to). Not a copy. */
  rows(from: number, to: number): Int32Array {
    return this.#rows.subarray(from, to)
  }

  /** @throws {RangeError} when the sequence would exceed `maxTokens` */
  add(rows: ArrayLike<number>): void {
    const length = this.length + rows.length
    if (length > this.#maxTokens) {
      throw new RangeError(`A slot holds at most ${this.#maxTokens} tokens`)
    }
    if (length > this.#rows.length) {
      const larger = new Int32Array(Math.max(length, 2 * this.#rows.length))
      larger.set(this.rows(0, this.length))
      this.#rows = larger
    }
    this.#rows.set(rows, this.length)
    this.length = length
  }
}
