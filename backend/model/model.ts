/** One image, cut into patches and still in bytes. */
export interface PatchImage {
  /**
   * [gh * gw, 3, patchSize, patchSize] in raster order; channel before row before column inside a patch. The vision
   * tower normalises it; bytes keep the hop between processes four times smaller than floats.
   */
  readonly patches: Uint8Array
  /** Patches per column and per row: [gh, gw], both even. */
  readonly gridHw: readonly [number, number]
}

/** Names one sequence's cache memory, wherever it lives. Made by `openSlot` alone. */
export type SlotId = number & { readonly __slot: unique symbol }

/** Names cache rows kept apart from any slot, wherever they live. Made by `keepRows` alone. */
export type RowsId = number & { readonly __rows: unique symbol }

/** Rows of image features that stand in for the embeddings of placeholder tokens. */
export interface FeatureSpan {
  /** First token of the row's `tokenIds` that is replaced. */
  readonly at: number
  /** [tokens, hiddenSize], row-major; as many tokens are replaced as there are rows. */
  readonly features: Float32Array
}

/** One sequence's share of a step: its next tokens, appended to the slot's cache. */
export interface StepRow {
  readonly slot: SlotId
  /** At least one. One token is a decode, more are a prefill chunk. */
  readonly tokenIds: Int32Array
  readonly features: readonly FeatureSpan[]
  /** Whether the logits after the last token are wanted. */
  readonly sample: boolean
}

export interface ModelInfo {
  readonly vocabSize: number
  readonly hiddenSize: number
  /** Most tokens one sequence may hold, prompt and answer together. */
  readonly contextTokens: number
  /** Most sequences in one step. Twice as many slots may be open: some wait, with what they have read. */
  readonly slots: number
  /** Side of a patch in pixels, and how many patches along each side become one token. */
  readonly patchSize: number
  readonly mergeSize: number
  /** Prompt id that image features replace. */
  readonly imageTokenId: number
  /** Bytes of cache memory one token takes, all layers together. */
  readonly cacheBytesPerToken: number
  /** An open slot's memory is its tokens, rounded up to a multiple of this. Kept rows are not rounded. */
  readonly slotGrowthTokens: number
}

/** An image on its way through the vision tower. It goes as far as it is taken, and waits in between. */
export interface ImageRun {
  /** [gh * gw / mergeSize^2, hiddenSize], row-major; undefined until all is done. */
  readonly features: Float32Array | undefined
  /**
   * Does about as much, in units of the tower's own: 1 is what one of its blocks does for one patch besides attending.
   * There is a least piece; Infinity does all.
   * @returns the work done
   */
  advance(work: number): Promise<number>
  /** Gives up what is left, and its memory. */
  close(): void
}

/** The network as the engine sees it: it owns weights and cache memory. Calls must not overlap. */
export interface Model {
  readonly info: ModelInfo
  /** Begins to look at an image; several may be under way. @throws {RangeError} when patches and grid do not match */
  beginImage(image: PatchImage): ImageRun
  /** An empty cache. @throws {RangeError} when all slots are open */
  openSlot(): SlotId
  /** Gives the memory back. @throws {RangeError} when the slot is not open */
  closeSlot(slot: SlotId): void
  /** A new slot that holds a copy of the first `tokens` tokens of another. @throws {RangeError} when all slots are open */
  forkSlot(source: SlotId, tokens: number): SlotId
  /** Forgets all but the first `tokens` tokens. @throws {RangeError} when the slot holds fewer */
  truncateSlot(slot: SlotId, tokens: number): void
  /** Tokens the slot holds. */
  slotLength(slot: SlotId): number
  /**
   * Keeps a copy of tokens [from, to) of a slot beyond its end. Its memory is the caller's to give back.
   * @throws {RangeError} when the slot does not hold them
   */
  keepRows(slot: SlotId, from: number, to: number): RowsId
  /**
   * Appends a copy of kept rows to a slot, as if their tokens had been run.
   * @throws {RangeError} when the slot does not hold exactly the tokens that stood before them
   */
  restoreRows(slot: SlotId, rows: RowsId): void
  /** Gives the memory of kept rows back. @throws {RangeError} when they are not kept */
  dropRows(rows: RowsId): void
  /**
   * Runs the decoder once over all rows and appends their tokens to their slots; each slot at most once.
   * @returns logits [vocabSize] for each row with `sample`, in order. The caller may modify them.
   */
  step(rows: readonly StepRow[]): Promise<Float32Array[]>
  /** Frees sessions and memory. */
  close(): Promise<void>
}
