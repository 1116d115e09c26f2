/** Acceptance assumed before any draft was verified: most texts that repeat themselves continue as before. */
const firstAcceptance = 0.6

/** The least that is assumed for a new sequence: enough for a short draft where rows cost little. */
const leastFirstAcceptance = 0.3

/** Weight of the latest token in the running averages of one sequence, and of all of them. */
const latestWeight = 0.15
const latestWeightOfAll = 0.01

/** Drafts that are skipped before one is tried although it is not expected to pay: at first, and at most. */
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

/** How the drafts of all sequences fared: callers mostly ask for texts of one kind. */
export class DraftHistory {
  readonly #acceptance = new Acceptance(firstAcceptance, latestWeightOfAll)

  /** The record of a new sequence, which starts from the acceptance of the others. */
  open(): DraftRecord {
    return new DraftRecord(this.#acceptance)
  }
}

/** How the drafts of one sequence fared. */
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

  /** Skips a draft that is not expected to pay. */
  passOver(): void {
    this.#passedOver += 1
  }

  /** @param drafted at least 1 @param accepted how many of them, from the first on; nothing is known of those behind a wrong one */
  verified(drafted: number, accepted: number): void {
    // A draft that was expected to pay ends the series of trials.
    this.#patience = this.isDue ? Math.min(mostPatience, 2 * this.#patience) : leastPatience
    this.#passedOver = 0
    this.#acceptance.verified(drafted, accepted)
    this.#all.verified(drafted, accepted)
  }
}
