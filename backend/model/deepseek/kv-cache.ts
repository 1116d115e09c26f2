import type { RowsId, SlotId } from '../model.ts'
import { releaseMemory } from '../release-memory.ts'
import { SlotMemory } from './slot-memory.ts'

/** Cache rows that outlive the slot they were computed in. */
interface KeptRows {
  /** Position of the first token: a row contains its rotated key, so it is only valid there. */
  readonly start: number
  readonly count: number
  /** [layer, count, width] */
  readonly values: Float32Array<ArrayBuffer>
}

interface KvCacheOptions {
  readonly slots: number
  readonly layerCount: number
  /** Floats per token and layer: latent and rotated key. */
  readonly width: number
  /** The most tokens of one sequence. */
  readonly maxTokens: number
}

/**
 * The latent cache on the CPU: slots in which sequences grow, and rows kept outside of them. The graph reads the
 * slots and returns only new rows, which are appended here.
 */
export class KvCache {
  readonly #options: KvCacheOptions
  readonly #slots: (SlotMemory | undefined)[]
  readonly #kept = new Map<RowsId, KeptRows>()
  #nextRows = 0

  constructor(options: KvCacheOptions) {
    this.#options = options
    this.#slots = Array.from({ length: options.slots }, () => undefined)
  }

  /** @throws {RangeError} when all slots are open */
  open(): SlotId {
    const index = this.#slots.findIndex((memory) => memory === undefined)
    if (index < 0) throw new RangeError(`All ${this.#slots.length} slots are open`)
    const { layerCount, width, maxTokens } = this.#options
    this.#slots[index] = new SlotMemory(layerCount, width, maxTokens)
    return index as SlotId
  }

  close(slot: SlotId): void {
    this.#memory(slot).release()
    this.#slots[slot] = undefined
  }

  /** A new slot with a copy of the first `tokens` rows. @throws {RangeError} as `open` and `truncate` do */
  fork(source: SlotId, tokens: number): SlotId {
    const memory = this.#requireRows(source, tokens)
    const slot = this.open()
    this.append(slot, tokens, (layer) => memory.rows(layer, 0, tokens))
    return slot
  }

  /** @throws {RangeError} when the slot holds fewer than `tokens` rows */
  truncate(slot: SlotId, tokens: number): void {
    this.#requireRows(slot, tokens).truncate(tokens)
  }

  length(slot: SlotId): number {
    return this.#memory(slot).length
  }

  /** The rows in use, as the graph's input; empty for a slot index that is not open. Not a copy. */
  rowsAt(slotIndex: number, layer: number): Float32Array {
    const memory = this.#slots[slotIndex]
    return memory === undefined ? new Float32Array(0) : memory.rows(layer, 0, memory.length)
  }

  /** Appends `count` tokens; `rowsOf(layer)` returns their [count, width]. */
  append(slot: SlotId, count: number, rowsOf: (layer: number) => Float32Array): void {
    this.#memory(slot).append(count, rowsOf)
  }

  /** See `Model.keepRows`. */
  keep(slot: SlotId, from: number, to: number): RowsId {
    if (from < 0 || from >= to) throw new RangeError(`There are no tokens ${from} to ${to}`)
    const memory = this.#requireRows(slot, to)
    const { layerCount, width } = this.#options
    const count = to - from
    const values = new Float32Array(layerCount * count * width)
    for (let layer = 0; layer < layerCount; layer++) {
      values.set(memory.rows(layer, from, to), layer * count * width)
    }
    const id = this.#nextRows++ as RowsId
    this.#kept.set(id, { start: from, count, values })
    return id
  }

  /** See `Model.restoreRows`. */
  restore(slot: SlotId, id: RowsId): void {
    const memory = this.#memory(slot)
    const { start, count, values } = this.#keptRows(id)
    if (memory.length !== start) {
      throw new RangeError(`Rows of token ${start} cannot follow ${memory.length} tokens`)
    }
    const size = count * this.#options.width
    memory.append(count, (layer) => values.subarray(layer * size, (layer + 1) * size))
  }

  /** See `Model.dropRows`. */
  drop(id: RowsId): void {
    releaseMemory(this.#keptRows(id).values.buffer)
    this.#kept.delete(id)
  }

  /** Frees all memory. */
  release(): void {
    for (const memory of this.#slots) memory?.release()
    this.#slots.fill(undefined)
    for (const id of this.#kept.keys()) this.drop(id)
  }

  #requireRows(slot: SlotId, tokens: number): SlotMemory {
    const memory = this.#memory(slot)
    if (tokens <= memory.length) return memory
    throw new RangeError(`Slot ${slot} holds fewer than ${tokens} tokens`)
  }

  #memory(slot: SlotId): SlotMemory {
    const memory = this.#slots[slot]
    if (memory === undefined) throw new RangeError(`Slot ${slot} is not open`)
    return memory
  }

  #keptRows(id: RowsId): KeptRows {
    const rows = this.#kept.get(id)
    if (rows === undefined) throw new RangeError(`Rows ${id} are not kept`)
    return rows
  }
}
