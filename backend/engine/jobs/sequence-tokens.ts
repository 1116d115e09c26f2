import { workPerSampledToken } from '../queue/work.ts'

/** The tokens of one sequence: what it reads, what it has sampled, and how many of them its slot holds. */
export class SequenceTokens {
  readonly #promptIds: Int32Array
  readonly #answerIds: number[] = []
  /** What it reads before it samples: the prompt; after it lost its rows, all tokens that were in them. */
  #readIds: Int32Array
  #cached = 0
  #restored = 0
  /** How many it had sampled when it got its rows. */
  #sampledBefore = 0

  constructor(promptIds: Int32Array) {
    this.#promptIds = promptIds
    this.#readIds = promptIds
  }

  get prompt(): number {
    return this.#promptIds.length
  }

  /** How many it reads before it samples. */
  get toRead(): number {
    return this.#readIds.length
  }

  /** Of these, how many are not in the cache yet. */
  get left(): number {
    return Math.max(0, this.toRead - this.#cached)
  }

  get cached(): number {
    return this.#cached
  }

  /** How many of the prompt were taken from the prefix cache. */
  get restored(): number {
    return this.#restored
  }

  /** Whether it has sampled: then its next token is known once it has read. */
  get haveSampled(): boolean {
    return this.#answerIds.length > 0
  }

  /** The last one sampled, which is not in the cache. */
  get lastId(): number {
    return this.#answerIds.at(-1)!
  }

  /** Whether it did more since it got its rows than reading them again would cost: so it gets on, however often it has to. */
  get mayBeReadAgain(): boolean {
    const sampled = this.#answerIds.length - this.#sampledBefore
    return sampled * workPerSampledToken >= this.#cached
  }

  /** All that it reads, or that its slot holds when that is more. */
  get ids(): Int32Array {
    const answered = Math.max(this.toRead, this.#cached) - this.prompt
    return this.#withAnswer(answered)
  }

  /** The next ones to be read. */
  next(count: number): Int32Array {
    return this.#readIds.subarray(this.#cached, this.#cached + count)
  }

  add(id: number): void {
    this.#answerIds.push(id)
  }

  /** A step has put so many more into the cache. */
  advance(count: number): void {
    this.#cached += count
  }

  /** A slot holds the first `cached` ones. */
  begin(cached: number): void {
    this.#cached = cached
    if (!this.haveSampled) this.#restored = cached
    this.#sampledBefore = this.#answerIds.length
  }

  /** The slot is gone: all but the last have to be read again. */
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
