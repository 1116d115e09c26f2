/** One image, cut into patches, still as bytes. */
export interface PatchImage {
  /**
   * [gh * gw, 3, patchSize, patchSize] in raster order; inside a patch, channel before row before column. The vision
   * tower normalises it; bytes keep the transfer between processes four times smaller than floats.
   */
  readonly patches: Uint8Array
  /** Patches per column and per row: [gh, gw], both even. */
  readonly gridHw: readonly [number, number]
}

/** Identifies one sequence's cache memory, wherever it is. Only `openSlot` and `forkSlot` create one. */
export type SlotId = number & { readonly __slot: unique symbol }

/** Identifies cache rows kept outside of any slot, wherever they are. Only `keepRows` creates one. */
export type RowsId = number & { readonly __rows: unique symbol }

/**
 * An image's features, [tokens, hiddenSize] numbers, row-major, wherever the model keeps them. A Float32Array is features in
 * the host's memory.
 */
export interface ImageFeatures {
  /** Numbers, and their bytes. */
  readonly length: number
  readonly byteLength: number
  /** Those of some tokens, in the same memory. @param from number of the first number, and `to` of the one after the last */
  subarray(from: number, to: number): ImageFeatures
}

/** Rows of image features that replace the embeddings of placeholder tokens. */
export interface FeatureSpan {
  /** Index of the first replaced token in the row's `tokenIds`. */
  readonly at: number
  /** [tokens, hiddenSize], row-major; replaces as many tokens as there are rows. */
  readonly features: ImageFeatures
}

/** One sequence's share of a step: its next tokens, to be appended to the slot's cache. */
export interface StepRow {
  readonly slot: SlotId
  /** At least one. One token is a decode, more are a prefill chunk. */
  readonly tokenIds: Int32Array
  readonly features: readonly FeatureSpan[]
  /** Whether the logits after the last token are wanted. */
  readonly sample: boolean
  /** How many of the last tokens are a draft: the logits before each of them are wanted too. None unless given. */
  readonly drafted?: number | undefined
}

/** How many of a row's last tokens have logits that are wanted. */
export function wantedLogits({ sample, drafted = 0 }: StepRow): number {
  return sample ? 1 + drafted : 0
}

/** The largest of a row's logits, and what they leave. */
export interface Candidates {
  /** In the order of falling logits; of those that are equal to the last one, some may be missing. */
  readonly ids: Int32Array
  /** One per id. */
  readonly logits: Float32Array
  /** Natural logarithm of the sum of e^logit over the whole vocabulary, within `logSumError`. */
  readonly logSum: number
}

/** How many candidates a model gives, if its vocabulary has as many: more than the log probabilities of a request. */
export const candidateCount = 64

/** Bound on the error of `Candidates.logSum`: devices sum up in float32. */
export const logSumError = 1e-5

/** The logits after the last token of a row. */
export interface NextLogits {
  /** Undefined where all logits are available, so that nothing is gained by choosing some. */
  readonly candidates: Candidates | undefined
  /**
   * All of them, [vocabSize]; the caller may modify them. A call of the model like any other, possible until its next
   * step.
   */
  readonly row: () => Promise<Float32Array>
}

export interface ModelInfo {
  readonly vocabSize: number
  readonly hiddenSize: number
  /** The most tokens one sequence may hold, prompt and answer together. */
  readonly contextTokens: number
  /**
   * The most sequences in one step. Twice as many slots may be open: the others wait with the tokens they have read.
   */
  readonly slots: number
  /** Side of a patch in pixels. */
  readonly patchSize: number
  readonly mergeSize: number
  /** Prompt token id that image features replace. */
  readonly imageTokenId: number
  /** Bytes of cache memory per token, all layers together. */
  readonly cacheBytesPerToken: number
  /** An open slot takes the memory of its tokens, rounded up to a multiple of this. Kept rows are not rounded. */
  readonly slotGrowthTokens: number
  /** Tokens for which memory is set aside from the start; undefined when it is taken as tokens arrive. */
  readonly cacheTokens: number | undefined
}

/** An image being processed by the vision tower. It advances on request and waits in between. */
export interface ImageRun {
  /** [gh * gw / mergeSize^2, hiddenSize], row-major; undefined until everything is done. */
  readonly features: ImageFeatures | undefined
  /**
   * Does about this much work, in the tower's own unit: 1 is what one of its blocks does for one patch apart from
   * attention. There is a minimum piece; Infinity does everything.
   * @returns the work done
   */
  advance(work: number): Promise<number>
  /** Abandons the remaining work and frees its memory. */
  close(): void
}

/** The network as seen by the engine: it owns weights and cache memory. Calls must not overlap. */
export interface Model {
  readonly info: ModelInfo
  /** Begins to process an image; several may be in progress. @throws {RangeError} when patches and grid do not match */
  beginImage(image: PatchImage): ImageRun
  /** Opens a slot with an empty cache. @throws {RangeError} when all slots are open */
  openSlot(): SlotId
  /** Frees the slot's memory. @throws {RangeError} when the slot is not open */
  closeSlot(slot: SlotId): void
  /** Opens a slot with a copy of the first `tokens` tokens of another. @throws {RangeError} when all slots are open */
  forkSlot(source: SlotId, tokens: number): SlotId
  /** Drops all but the first `tokens` tokens. @throws {RangeError} when the slot holds fewer */
  truncateSlot(slot: SlotId, tokens: number): void
  /** Tokens held by the slot. */
  slotLength(slot: SlotId): number
  /**
   * Keeps a copy of tokens [from, to) of a slot that outlives it. The caller must free it with `dropRows`.
   * @throws {RangeError} when the slot does not hold them
   */
  keepRows(slot: SlotId, from: number, to: number): RowsId
  /**
   * Appends a copy of kept rows to a slot, as if their tokens had been run.
   * @throws {RangeError} when the slot's length is not the position of the first kept row
   */
  restoreRows(slot: SlotId, rows: RowsId): void
  /** Frees the memory of kept rows. @throws {RangeError} when they are not kept */
  dropRows(rows: RowsId): void
  /**
   * Runs the decoder once over all rows and appends their tokens to their slots; each slot may occur once.
   * @returns the logits for each row with `sample`, in order; of a row with a draft one after the other
   */
  step(rows: readonly StepRow[]): Promise<NextLogits[]>
  /** Frees sessions and memory. */
  close(): Promise<void>
}
