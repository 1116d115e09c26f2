import type { SlotId } from './model.ts'

/** Tokens a slot's memory grows by at least; doubling beyond that keeps copies rare. */
const minimumGrowthTokens = 256

interface SlotMemory {
  length: number
  /** Per layer [capacity, width], the first `length` rows in use. */
  readonly layers: Float32Array[]
}

/**
 * The latent cache on the CPU: per slot and layer one growing block of rows, each `width` floats (latent and rotated
 * key of one token). The graph reads it and returns only new rows, which are appended here.
 */
export class KvCache {
  readonly #layerCount: number
  readonly #width: number
  readonly #slots: (SlotMemory | undefined)[]

  constructor(slots: number, layerCount: number, width: number) {
    this.#slots = Array.from({ length: slots }, () => undefined)
    this.#layerCount = layerCount
    this.#width = width
  }

  /** @throws {RangeError} when all slots are open */
  open(): SlotId {
    const index = this.#slots.findIndex((memory) => memory === undefined)
    if (index < 0) throw new RangeError(`all ${this.#slots.length} slots are open`)
    const layers = Array.from({ length: this.#layerCount }, () => new Float32Array(0))
    this.#slots[index] = { length: 0, layers }
    return index as SlotId
  }

  close(slot: SlotId): void {
    this.#memory(slot)
    this.#slots[slot] = undefined
  }

  /** A new slot with a copy of the first `tokens` rows. @throws {RangeError} as `open` and `truncate` */
  fork(source: SlotId, tokens: number): SlotId {
    this.#requireRows(source, tokens)
    const { layers } = this.#memory(source)
    const slot = this.open()
    this.append(slot, tokens, (layer) => layers[layer]!.subarray(0, tokens * this.#width))
    return slot
  }

  /** @throws {RangeError} when the slot holds fewer than `tokens` rows */
  truncate(slot: SlotId, tokens: number): void {
    this.#requireRows(slot, tokens)
    this.#memory(slot).length = tokens
  }

  length(slot: SlotId): number {
    return this.#memory(slot).length
  }

  /** Tokens held at a slot index; 0 where none is open. */
  lengthAt(slotIndex: number): number {
    return this.#slots[slotIndex]?.length ?? 0
  }

  /** The rows in use, as the graph's input: empty for a slot index that is not open. Not a copy. */
  rowsAt(slotIndex: number, layer: number): Float32Array {
    const memory = this.#slots[slotIndex]
    return memory === undefined
      ? new Float32Array(0)
      : memory.layers[layer]!.subarray(0, memory.length * this.#width)
  }

  /** Appends `count` tokens; `rowsOf(layer)` gives their [count, width]. */
  append(slot: SlotId, count: number, rowsOf: (layer: number) => Float32Array): void {
    const memory = this.#memory(slot)
    const start = memory.length * this.#width
    const needed = start + count * this.#width
    memory.layers.forEach((block, layer) => {
      const room = block.length >= needed ? block : this.#grown(block, needed)
      room.set(rowsOf(layer), start)
      memory.layers[layer] = room
    })
    memory.length += count
  }

  #grown(block: Float32Array, needed: number): Float32Array {
    const minimum = minimumGrowthTokens * this.#width
    const larger = new Float32Array(Math.max(needed, 2 * block.length, minimum))
    larger.set(block)
    return larger
  }

  #requireRows(slot: SlotId, tokens: number): void {
    if (tokens <= this.#memory(slot).length) return
    throw new RangeError(`slot ${slot} holds fewer than ${tokens} tokens`)
  }

  #memory(slot: SlotId): SlotMemory {
    const memory = this.#slots[slot]
    if (memory === undefined) throw new RangeError(`slot ${slot} is not open`)
    return memory
  }
}
