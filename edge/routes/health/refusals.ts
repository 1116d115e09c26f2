import type { CallBackend } from '../../backends/exchange.ts'

/** Counts the calls that no backend accepted: a probe's result from before such a call is out of date. */
export class Refusals {
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Wraps the function so that it counts them. A call ended by its own client does not count. */
  counted(backend: CallBackend): CallBackend {
    return async (path, init) => {
      try {
        const reply = await backend(path, init)
        if (reply.answer.status === 503) this.#count += 1
        return reply
      } catch (error) {
        if (!init.signal.aborted) this.#count += 1
        throw error
      }
    }
  }
}
