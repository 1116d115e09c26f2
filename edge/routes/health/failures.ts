/** Which answers count as failures, and which errors do not. */
interface Judging<Asked extends readonly unknown[], Answer> {
  readonly refuses?: (answer: Answer) => boolean
  readonly withdrawn?: (...asked: Asked) => boolean
}

/** Counts failures: the result of a probe from before the latest of them is out of date. */
export class Failures {
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Wraps the function so that its failures count. */
  counted<Asked extends readonly unknown[], Answer>(
    ask: (...asked: Asked) => Promise<Answer>,
    { refuses = () => false, withdrawn = () => false }: Judging<Asked, Answer> = {},
  ): (...asked: Asked) => Promise<Answer> {
    return async (...asked) => {
      try {
        const answer = await ask(...asked)
        if (refuses(answer)) this.#count += 1
        return answer
      } catch (error) {
        if (!withdrawn(...asked)) this.#count += 1
        throw error
      }
    }
  }
}
