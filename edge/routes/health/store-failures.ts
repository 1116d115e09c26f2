/** Counts what a store could not do for a call: a probe's result from before that is out of date. */
export class StoreFailures {
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Wraps the function so that its failures count. */
  counted<Asked extends readonly unknown[], Answer>(
    ask: (...asked: Asked) => Promise<Answer>,
  ): (...asked: Asked) => Promise<Answer> {
    return async (...asked) => {
      try {
        return await ask(...asked)
      } catch (error) {
        this.#count += 1
        throw error
      }
    }
  }
}
