/** What a card can do, as measured right now. */
export interface CardFacts {
  /** Of its memory, bytes read and written counted. */
  readonly bytesPerSecond: number
  /** Seconds from the recording of a small operator to that of the next. */
  readonly secondsPerLaunch: number
  /** The largest tensor that was tried and kept what was written. */
  readonly largestTensorBytes: number
}
