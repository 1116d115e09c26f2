/** Acceptance that is assumed before any draft was verified: what recurs often goes on as before. */
const firstAcceptance = 0.6

/** The least that is assumed of a new sequence: enough for a short draft where rows cost little. */
const leastFirstAcceptance = 0.3

/** Weight of the latest token in the running averages of one sequence, and of all of them. */
const latestWeight = 0.15
const latestWeightOfAll = 0.01

/** Drafts that are passed over before one is verified whatever is expected of it, and how far that may go. */
const leastPatience = 32
const mostPatience = 1024

/** The share of drafted tokens that are accepted: a running average. */
class Acceptance {
  readonly #weight: number
  #share: number

  constructor(first: number, weight: number) {
    this.#share = first
    this.#weight = weight
  }

  get share(): number {
    return this.#share
  }

  /** See `DraftRecord.verified`. */
  verified(drafted: number, accepted: number): void {
    for (let i = 0; i < Math.min(accepted + 1, drafted); i++) {
      this.#share += this.#weight * (Number(i < accepted) - this.#share)
    }
  }
}

/** What has become of the drafts of all sequences: callers ask for texts of one kind more often than not. */
export class DraftHistory {
  readonly #acceptance = new Acceptance(firstAcceptance, latestWeightOfAll)

  /** The record of a new sequence, which starts from what the others have reached. */
  open(): DraftRecord {
    return new DraftRecord(this.#acceptance)
  }
}

/** What has become of the drafts of one sequence. */
export class DraftRecord {
  readonly #all: Acceptance
  readonly #acceptance: Acceptance
  #passedOver = 0
  #patience = leastPatience

  constructor(all: Acceptance) {
    this.#all = all
    this.#acceptance = new Acceptance(Math.max(leastFirstAcceptance, all.share), latestWeight)
  }

  /** The probability, 0 to 1, that a drafted token is accepted if those before it are. */
  get acceptance(): number {
    return this.#acceptance.share
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
    this.#acceptance.verified(drafted, accepted)
    this.#all.verified(drafted, accepted)
  }
}
