/** Milliseconds that an engine may take. Anything slower counts as failed, whatever else the engine sends meanwhile. */
export interface TimeLimits {
  /** For a connection. */
  readonly connectMs: number
  /** From the request to the head of the answer. */
  readonly headersMs: number
  /** From there to the first token. */
  readonly firstTokenMs: number
  /** Between two tokens, and from the last one to the end. */
  readonly gapMs: number
  /** For an answer to a probe. */
  readonly probeMs: number
}

export const timeLimits: TimeLimits = {
  // A network's round trip, three times sent; engines are near.
  connectMs: 3_000,
  // Engines send the head of an answer once they have decoded the pictures: 16 of them, each within a second, with a
  // margin of two.
  headersMs: 30_000,
  // A full context of 131,072 tokens at 1,000 tokens a second. The engine's own queue is short, because ours is before it.
  firstTokenMs: 130_000,
  // A sequence that gave way to others in the engine is read again from its start.
  gapMs: 60_000,
  // Health and metrics are answered beside the work, but in the same Python process.
  probeMs: 3_000,
}
