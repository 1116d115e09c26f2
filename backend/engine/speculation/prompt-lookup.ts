/** Lengths of the runs of tokens that are looked up, the longest first: single tokens recur too often to mean anything. */
const runLengths = [3, 2] as const

/** How many runs with the same hash are compared, which bounds the time: chains hold one or two, or the same run many times. */
const mostLooks = 8

/** Tokens for which there is room at first. */
const firstRoom = 256

/**
 * Drafts the continuation of a text: what followed when its last tokens occurred before (Saxena, "Prompt Lookup Decoding").
 * Adding a token takes the same time however long the text is, and at most 40 bytes.
 */
export class PromptLookup {
  #ids = new Int32Array(firstRoom)
  #length = 0
  #indexes = runLengths.map((length) => new RunIndex(length, firstRoom))
  /** Where the text continued after an earlier occurrence of its last tokens. */
  #earlier: number | undefined

  /** Tokens added so far. */
  get length(): number {
    return this.#length
  }

  add(ids: Iterable<number>): void {
    for (const id of ids) this.#addOne(id)
  }

  /** The next `most` tokens, if the text continues as it did before; none if its last tokens are new. */
  next(most: number): Int32Array {
    const from = this.#earlier
    if (from === undefined || most < 1) return new Int32Array(0)
    // The text may repeat itself from there to its end, and so on.
    const period = this.#length - from
    return Int32Array.from({ length: most }, (_, i) => this.#ids[from + (i % period)]!)
  }

  #addOne(id: number): void {
    if (this.#length === this.#ids.length) this.#grow()
    this.#ids[this.#length] = id
    this.#length += 1
    this.#earlier = undefined
    for (const index of this.#indexes) {
      const end = index.add(this.#ids, this.#length)
      this.#earlier ??= end
    }
  }

  #grow(): void {
    const ids = new Int32Array(2 * this.#ids.length)
    ids.set(this.#ids)
    this.#ids = ids
    this.#indexes = runLengths.map((length) => new RunIndex(length, ids.length))
    for (let end = 1; end <= this.#length; end++) {
      for (const index of this.#indexes) index.add(ids, end)
    }
  }
}

/** Where each run of one length occurred before: a hash table of chains, the latest first (as in Deutsch, RFC 1951, 4). */
class RunIndex {
  readonly #run: number
  /** By hash, the end of the latest run; 0 for none. */
  readonly #latest: Int32Array
  /** By end, the end of the run before it with the same hash; 0 for none. */
  readonly #earlier: Int32Array
  readonly #shift: number

  /** @param tokens for which there is room, a power of two */
  constructor(run: number, tokens: number) {
    this.#run = run
    this.#latest = new Int32Array(tokens)
    this.#earlier = new Int32Array(tokens + 1)
    this.#shift = 32 - Math.log2(tokens)
  }

  /** Adds the run that ends before `end`. @returns the end of the same run before it, if it was found */
  add(ids: Int32Array, end: number): number | undefined {
    if (end < this.#run) return undefined
    const hash = this.#hashOf(ids, end)
    let found = this.#latest[hash]!
    this.#latest[hash] = end
    this.#earlier[end] = found
    for (let looks = 0; found > 0 && looks < mostLooks; looks++) {
      if (this.#isSame(ids, found, end)) return found
      found = this.#earlier[found]!
    }
    return undefined
  }

  /** Multiplicative hashing (Knuth, "The Art of Computer Programming", 6.4), of which the upper bits are used. */
  #hashOf(ids: Int32Array, end: number): number {
    let hash = 0
    for (let i = end - this.#run; i < end; i++) hash = Math.imul(hash + ids[i]! + 1, 0x9e3779b1)
    return hash >>> this.#shift
  }

  #isSame(ids: Int32Array, a: number, b: number): boolean {
    for (let i = 1; i <= this.#run; i++) if (ids[a - i] !== ids[b - i]) return false
    return true
  }
}
