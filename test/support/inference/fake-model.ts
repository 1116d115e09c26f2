import {
  wantedLogits,
  type ImageRun,
  type Model,
  type ModelInfo,
  type NextLogits,
  type PatchImage,
  type RowsId,
  type SlotId,
  type StepRow,
} from '../../../backend/model/model.ts'
import { hostFeatures } from '../../../backend/model/host-features.ts'
import { candidatesOf } from './candidates-of.ts'

export const fakeModelInfo: ModelInfo = {
  vocabSize: 64,
  hiddenSize: 2,
  contextTokens: 128,
  slots: 4,
  patchSize: 2,
  mergeSize: 2,
  imageTokenId: 60,
  cacheBytesPerToken: 16,
  slotGrowthTokens: 4,
  cacheTokens: undefined,
}

/** Arguments of one piece of an image. */
const leastPatches = 16

/** Called inside each call of the model; may wait or throw. */
export interface FakeModelHooks {
  onStep?: (rows: readonly StepRow[]) => Promise<void> | void
  /** Called in each piece of an image. */
  onLook?: (image: PatchImage) => Promise<void> | void
  /** Changes logits before they are returned. @param last the token they come after */
  editLogits?: (row: StepRow, logits: Float32Array, last: number) => void
  /** How many candidates are given; none unless given. */
  candidates?: number
  /** Called when a whole row of logits is read. */
  onRow?: () => void
}

/**
 * A model whose logits are a hash of everything its slot has read, token by token and feature by feature, so that any
 * mix-up of slots, order, chunks or features changes the answer. It throws when it is misused: overlapping calls,
 * unknown or repeated slots, a full context, placeholders without features.
 */
export class FakeModel implements Model {
  readonly info: ModelInfo
  readonly hooks: FakeModelHooks
  readonly steps: (readonly StepRow[])[] = []
  /** Images begun, and those of them that are neither done nor abandoned. */
  looks = 0
  openLooks = 0
  /** Whole rows of logits that were asked for. */
  rowsRead = 0
  /** Per slot the hash of what it read, after each number of tokens from 0 on. */
  readonly #slots = new Map<SlotId, { readonly history: number[] }>()
  readonly #kept = new Map<RowsId, { readonly from: number; readonly hashes: number[] }>()
  #nextSlot = 100
  #nextRows = 500
  #running = false

  constructor(info: Partial<ModelInfo> = {}, hooks: FakeModelHooks = {}) {
    this.info = { ...fakeModelInfo, ...info }
    this.hooks = hooks
  }

  get openSlots(): number {
    return this.#slots.size
  }

  /** A unit of work is a patch, and the smallest piece has several. */
  beginImage(image: PatchImage): ImageRun {
    this.looks += 1
    this.openLooks += 1
    let left = image.gridHw[0] * image.gridHw[1]
    let features: Float32Array | undefined
    let open = true
    const close = () => {
      if (open) this.openLooks -= 1
      open = false
    }
    return {
      get features() {
        return features
      },
      advance: (work) =>
        this.#alone(async () => {
          await this.hooks.onLook?.(image)
          const done = Math.min(left, Math.max(leastPatches, Math.ceil(work)))
          left -= done
          if (left > 0) return done
          features = this.#featuresOf(image)
          close()
          return done
        }),
      close,
    }
  }

  openSlot(): SlotId {
    this.#refuseWhenBusy()
    if (this.#slots.size >= 2 * this.info.slots) throw new RangeError('all slots are open')
    const slot = this.#nextSlot++ as SlotId
    this.#slots.set(slot, { history: [7] })
    return slot
  }

  closeSlot(slot: SlotId): void {
    this.#refuseWhenBusy()
    if (!this.#slots.delete(slot)) throw new RangeError('the slot is not open')
  }

  forkSlot(source: SlotId, tokens: number): SlotId {
    const { history } = this.#state(source)
    if (tokens >= history.length) throw new RangeError('the slot holds fewer tokens')
    const slot = this.openSlot()
    this.#slots.set(slot, { history: history.slice(0, tokens + 1) })
    return slot
  }

  truncateSlot(slot: SlotId, tokens: number): void {
    this.#refuseWhenBusy()
    const { history } = this.#state(slot)
    if (tokens >= history.length) throw new RangeError('the slot holds fewer tokens')
    history.length = tokens + 1
  }

  slotLength(slot: SlotId): number {
    return this.#state(slot).history.length - 1
  }

  /** Tokens in kept rows. */
  get keptTokens(): number {
    return [...this.#kept.values()].reduce((sum, { hashes }) => sum + hashes.length, 0)
  }

  /** Tokens of memory taken by open slots. */
  get slotTokens(): number {
    const { slotGrowthTokens: unit } = this.info
    const lengths = [...this.#slots.values()].map(({ history }) => history.length - 1)
    return lengths.reduce((sum, length) => sum + Math.ceil(length / unit) * unit, 0)
  }

  keepRows(slot: SlotId, from: number, to: number): RowsId {
    this.#refuseWhenBusy()
    const hashes = this.#state(slot).history.slice(from + 1, to + 1)
    if (hashes.length !== to - from || to <= from) throw new RangeError('no such rows')
    const rows = this.#nextRows++ as RowsId
    this.#kept.set(rows, { from, hashes })
    return rows
  }

  restoreRows(slot: SlotId, rows: RowsId): void {
    this.#refuseWhenBusy()
    const kept = this.#kept.get(rows)
    const { history } = this.#state(slot)
    if (kept?.from !== history.length - 1) throw new RangeError('the rows do not follow')
    history.push(...kept.hashes)
  }

  dropRows(rows: RowsId): void {
    this.#refuseWhenBusy()
    if (!this.#kept.delete(rows)) throw new RangeError('the rows are not kept')
  }

  async step(rows: readonly StepRow[]): Promise<NextLogits[]> {
    this.#refuseWhenBusy()
    if (rows.length === 0) throw new RangeError('a step needs rows')
    if (new Set(rows.map((row) => row.slot)).size < rows.length) {
      throw new RangeError('a slot appears twice')
    }
    if (rows.length > this.info.slots) throw new RangeError('more rows than take part in a step')
    return this.#alone(async () => {
      this.steps.push(rows)
      await this.hooks.onStep?.(rows)
      for (const row of rows) this.#read(row)
      return rows.flatMap((row) => this.#logitsOf(row).map((logits) => this.#next(logits)))
    })
  }

  close(): Promise<void> {
    this.#refuseWhenBusy()
    return Promise.resolve()
  }

  async #alone<Result>(run: () => Promise<Result>): Promise<Result> {
    this.#refuseWhenBusy()
    this.#running = true
    try {
      return await run()
    } finally {
      this.#running = false
    }
  }

  #featuresOf({ gridHw, patches }: PatchImage): Float32Array {
    const tokens = (gridHw[0] * gridHw[1]) / this.info.mergeSize ** 2
    const seed = patches.reduce(mix, 1)
    const features = new Float32Array(tokens * this.info.hiddenSize)
    return features.map((_, index) => (mix(seed, index) % 1000) / 8)
  }

  #read(row: StepRow): void {
    const { history } = this.#state(row.slot)
    if (row.tokenIds.length === 0) throw new RangeError('a row needs tokens')
    const inputs: number[][] = [...row.tokenIds].map((id) => [id])
    const { hiddenSize, imageTokenId, contextTokens } = this.info
    for (const { at, features } of row.features) {
      for (let i = 0; i * hiddenSize < features.length; i++) {
        if (inputs[at + i]?.[0] !== imageTokenId) throw new RangeError('features off placeholders')
        inputs[at + i] = [
          ...hostFeatures(features).subarray(i * hiddenSize, (i + 1) * hiddenSize),
          0.5,
        ]
      }
    }
    if (inputs.some(([id, ...rest]) => id === imageTokenId && rest.length === 0)) {
      throw new RangeError('a placeholder has no features')
    }
    for (const input of inputs) {
      history.push(input.reduce((hash, value) => mix(hash, value * 8), history.at(-1)!))
    }
    if (history.length - 1 > contextTokens) throw new RangeError('the context is full')
  }

  #logitsOf(row: StepRow): Float32Array[] {
    const { history } = this.#state(row.slot)
    return history.slice(history.length - wantedLogits(row)).map((hash, i, hashes) => {
      const logits = Float32Array.from(
        { length: this.info.vocabSize },
        (_, id) => (mix(hash, id) % 4096) / 512,
      )
      this.hooks.editLogits?.(row, logits, row.tokenIds.at(i - hashes.length)!)
      return logits
    })
  }

  #next(logits: Float32Array): NextLogits {
    const { candidates: count } = this.hooks
    const taken = this.steps.length
    return {
      candidates: count === undefined ? undefined : candidatesOf(logits, count),
      row: () =>
        this.#alone(() => {
          if (this.steps.length > taken) throw new RangeError('another step was run since')
          this.rowsRead += 1
          this.hooks.onRow?.()
          return Promise.resolve(logits)
        }),
    }
  }

  #state(slot: SlotId): { readonly history: number[] } {
    const state = this.#slots.get(slot)
    if (state === undefined) throw new RangeError('the slot is not open')
    return state
  }

  #refuseWhenBusy(): void {
    if (this.#running) throw new RangeError('calls overlap')
  }
}

/** Unsigned 32-bit mixing of a hash with one more value (the finaliser of MurmurHash3, by A. Appleby). */
function mix(hash: number, value: number): number {
  let mixed = Math.imul(hash ^ (value + 0x9e3779b9), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
