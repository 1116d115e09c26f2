import type { Model, ModelInfo, PatchImage, SlotId, StepRow } from '../../backend/model/model.ts'

export const fakeModelInfo: ModelInfo = {
  vocabSize: 64,
  hiddenSize: 2,
  contextTokens: 128,
  slots: 4,
  patchSize: 2,
  mergeSize: 2,
  imageTokenId: 60,
}

/** Called inside each call of the model; may wait or throw. */
export interface FakeModelHooks {
  onStep?: (rows: readonly StepRow[]) => Promise<void> | void
  onEncode?: (image: PatchImage) => Promise<void> | void
  /** Changes logits before they are returned. */
  editLogits?: (row: StepRow, logits: Float32Array) => void
}

/**
 * A model whose logits are a hash of everything its slot has read, token by token and feature by feature, so that any
 * mix-up of slots, order, chunks or features changes the answer. Throws when it is misused: overlapping calls, unknown or repeated slots, a
 * full context, placeholders without features.
 */
export class FakeModel implements Model {
  readonly info: ModelInfo
  readonly hooks: FakeModelHooks
  readonly steps: (readonly StepRow[])[] = []
  encodes = 0
  readonly #slots = new Map<SlotId, { hash: number; length: number }>()
  #nextSlot = 100
  #busy = false

  constructor(info: Partial<ModelInfo> = {}, hooks: FakeModelHooks = {}) {
    this.info = { ...fakeModelInfo, ...info }
    this.hooks = hooks
  }

  get openSlots(): number {
    return this.#slots.size
  }

  encodeImage(image: PatchImage): Promise<Float32Array> {
    return this.#alone(async () => {
      this.encodes += 1
      await this.hooks.onEncode?.(image)
      const tokens = (image.gridHw[0] * image.gridHw[1]) / this.info.mergeSize ** 2
      const seed = image.patches.reduce(mix, 1)
      const features = new Float32Array(tokens * this.info.hiddenSize)
      return features.map((_, index) => (mix(seed, index) % 1000) / 8)
    })
  }

  openSlot(): SlotId {
    this.#refuseWhenBusy()
    if (this.#slots.size >= this.info.slots) throw new RangeError('all slots are open')
    const slot = this.#nextSlot++ as SlotId
    this.#slots.set(slot, { hash: 7, length: 0 })
    return slot
  }

  closeSlot(slot: SlotId): void {
    this.#refuseWhenBusy()
    if (!this.#slots.delete(slot)) throw new RangeError('the slot is not open')
  }

  slotLength(slot: SlotId): number {
    return this.#state(slot).length
  }

  step(rows: readonly StepRow[]): Promise<Float32Array[]> {
    return this.#alone(async () => {
      if (rows.length === 0) throw new RangeError('a step needs rows')
      if (new Set(rows.map((row) => row.slot)).size < rows.length) {
        throw new RangeError('a slot appears twice')
      }
      this.steps.push(rows)
      await this.hooks.onStep?.(rows)
      for (const row of rows) this.#read(row)
      return rows.filter((row) => row.sample).map((row) => this.#logits(row))
    })
  }

  close(): Promise<void> {
    this.#refuseWhenBusy()
    return Promise.resolve()
  }

  #read(row: StepRow): void {
    const state = this.#state(row.slot)
    if (row.tokenIds.length === 0) throw new RangeError('a row needs tokens')
    const inputs: number[][] = [...row.tokenIds].map((id) => [id])
    const { hiddenSize, imageTokenId, contextTokens } = this.info
    for (const { at, features } of row.features) {
      for (let i = 0; i * hiddenSize < features.length; i++) {
        if (inputs[at + i]?.[0] !== imageTokenId) throw new RangeError('features off placeholders')
        inputs[at + i] = [...features.subarray(i * hiddenSize, (i + 1) * hiddenSize), 0.5]
      }
    }
    if (inputs.some(([id, ...rest]) => id === imageTokenId && rest.length === 0)) {
      throw new RangeError('a placeholder has no features')
    }
    state.hash = inputs.flat().reduce((hash, value) => mix(hash, value * 8), state.hash)
    state.length += inputs.length
    if (state.length > contextTokens) throw new RangeError('the context is full')
  }

  #logits(row: StepRow): Float32Array {
    const { hash } = this.#state(row.slot)
    const logits = Float32Array.from(
      { length: this.info.vocabSize },
      (_, id) => (mix(hash, id) % 4096) / 512,
    )
    this.hooks.editLogits?.(row, logits)
    return logits
  }

  #state(slot: SlotId): { hash: number; length: number } {
    const state = this.#slots.get(slot)
    if (state === undefined) throw new RangeError('the slot is not open')
    return state
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    this.#refuseWhenBusy()
    this.#busy = true
    try {
      return await work()
    } finally {
      this.#busy = false
    }
  }

  #refuseWhenBusy(): void {
    if (this.#busy) throw new RangeError('calls overlap')
  }
}

/** Unsigned 32-bit mixing of a hash with one more value (the finaliser of MurmurHash3, by A. Appleby). */
function mix(hash: number, value: number): number {
  let mixed = Math.imul(hash ^ (value + 0x9e3779b9), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
