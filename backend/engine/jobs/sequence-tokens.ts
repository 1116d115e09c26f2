import { workPerSampledToken } from '../queue/work.ts'

/** The tokens of one sequence: those it reads, those it has sampled, and how many of them are in its slot. */
export class SequenceTokens {
  readonly #promptIds: Int32Array
  readonly #answerIds: number[] = []
  /** The tokens to read before sampling: the prompt, or after a loss of its rows, all tokens that were in them. */
  #readIds: Int32Array
  #cached = 0
  #restored = 0
  /** Number of tokens sampled before it got its current rows. */
  #sampledBefore = 0

  constructor(promptIds: Int32Array) {
    this.#promptIds = promptIds
    this.#readIds = promptIds
  }

  get prompt(): number {
    return this.#promptIds.length
  }

  /** Number of tokens to read before sampling. */
  get toRead(): number {
    return this.#readIds.length
  }

  /** How many of these are not in the cache yet. */
  get left(): number {
    return Math.max(0, this.toRead - this.#cached)
  }

  get cached(): number {
    return this.#cached
  }

  /** How many tokens of the prompt were taken from the prefix cache. */
  get restored(): number {
    return this.#restored
  }

  /** Whether it has sampled before: then its next token is already known once it has read. */
  get haveSampled(): boolean {
    return this.#answerIds.length > 0
  }

  /** The last sampled token, which is not in the cache. */
  get lastId(): number {
    return this.#answerIds.at(-1)!
  }

  /**
   * Whether it has done more since it got its rows than reading them again would cost. This guarantees progress,
   * however often it loses them.
   */
  get mayBeReadAgain(): boolean {
    const sampled = this.#answerIds.length - this.#sampledBefore
    return sampled * workPerSampledToken >= this.#cached
  }

  /** All tokens to read, or those in its slot if they are more. */
  get ids(): Int32Array {
    const answered = Math.max(this.toRead, this.#cached) - this.prompt
    return this.#withAnswer(answered)
  }

  /** All tokens, sampled ones included, from the one at `position` on. */
  from(position: number): Iterable<number> {
    const answered = position - this.prompt
    if (answered >= 0) return this.#answerIds.slice(answered)
    return this.#withAnswer(this.#answerIds.length).subarray(position)
  }

  /** The next tokens to read. */
  next(count: number): Int32Array {
    return this.#readIds.subarray(this.#cached, this.#cached + count)
  }

  add(id: number): void {
    this.#answerIds.push(id)
  }

  /** A step has added this many tokens to the cache. */
  advance(count: number): void {
    this.#cached += count
  }

  /** A slot holds the first `cached` tokens. */
  begin(cached: number): void {
    this.#cached = cached
    if (!this.haveSampled) this.#restored = cached
    this.#sampledBefore = this.#answerIds.length
  }

  /** The slot is gone: all tokens but the last must be read again. */
  lose(): void {
    this.#readIds = this.#withAnswer(Math.max(0, this.#answerIds.length - 1))
    this.#cached = 0
  }

  #withAnswer(count: number): Int32Array {
    const ids = new Int32Array(this.prompt + count)
    ids.set(this.#promptIds)
    ids.set(this.#answerIds.slice(0, count), this.prompt)
    return ids
  }
}
