/** Sums over the logits of one row, which come in pieces. In double precision. */
export class LogitSums {
  #highest = -Infinity
  #sum = 0
  #bestId = -1

  /** @param logits of the tokens from `firstId` on, in order */
  add(firstId: number, logits: Float32Array): void {
    let best = 0
    for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i
    const highest = logits[best]!
    if (highest > this.#highest) {
      this.#sum *= Math.exp(this.#highest - highest)
      this.#highest = highest
      this.#bestId = firstId + best
    }
    for (const logit of logits) this.#sum += Math.exp(logit - this.#highest)
  }

  /** The token with the highest logit; the first of several. */
  get bestId(): number {
    return this.#bestId
  }

  /** ln of the sum of exp(logit), which is subtracted from a logit to get a log probability. */
  get logOfSum(): number {
    return this.#highest + Math.log(this.#sum)
  }
}

/**
 * The Kullback-Leibler divergence of q from p, whose logits come in pieces:
 *
 *     sum of p (ln p - ln q) = (sum of e^a (a - b)) / (sum of e^a) - ln (sum of e^a) + ln (sum of e^b)
 *
 * with a and b the logits of p and q.
 */
export class DivergenceSums {
  readonly p = new LogitSums()
  readonly q = new LogitSums()
  /** sum of e^(a - scale) (a - b), and of e^(a - scale) */
  #difference = 0
  #weight = 0
  #scale = -Infinity

  add(firstId: number, a: Float32Array, b: Float32Array): void {
    this.p.add(firstId, a)
    this.q.add(firstId, b)
    const scale = a.reduce((most, logit) => Math.max(most, logit), this.#scale)
    const shrink = Math.exp(this.#scale - scale)
    let [difference, weight] = [this.#difference * shrink, this.#weight * shrink]
    for (let i = 0; i < a.length; i++) {
      const share = Math.exp(a[i]! - scale)
      weight += share
      difference += share * (a[i]! - b[i]!)
    }
    ;[this.#difference, this.#weight, this.#scale] = [difference, weight, scale]
  }

  /** In nats. */
  get divergence(): number {
    return this.#difference / this.#weight - this.p.logOfSum + this.q.logOfSum
  }
}
