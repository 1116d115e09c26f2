/** Acceptance that is assumed before any draft was verified: what recurs often goes on as before. */
const firstAcceptance = 0.6

/** Weight of the latest token in the running average. */
const latestWeight = 0.15

/** Drafts that are passed over before one is verified whatever is expected of it, and how far that may go. */
const leastPatience = 32
const mostPatience = 1024

/** What has become of the drafts of one sequence. */
export class DraftRecord {
  #acceptance = firstAcceptance
  #passedOver = 0
  #patience = leastPatience

  /** The probability, 0 to 1, that a drafted token is accepted if those before it are. */
  get acceptance(): number {
    return this.#acceptance
  }

  /** Whether it is time to try again: texts change, and so does what a draft costs. */
  get isDue(): boolean {
    return this.#passedOver >= this.#patience
  }

  /** There was a draft that is not expected to pay. */
  passOver(): void {
    this.#passedOver += 1
  }

  /** @param accepted the first tokens of the `drafted`, of which there is at least one; those behind a wrong one are unknown */
  verified(drafted: number, accepted: number): void {
    // Where a trial changes what is expected, the next draft is none.
    this.#patience = this.isDue ? Math.min(mostPatience, 2 * this.#patience) : leastPatience
    this.#passedOver = 0
    for (let i = 0; i < Math.min(accepted + 1, drafted); i++) {
      this.#acceptance += latestWeight * (Number(i < accepted) - this.#acceptance)
    }
  }
}
