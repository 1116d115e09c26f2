import type { CallBackend } from '../../backends/exchange.ts'

/** Counts the calls that no backend accepted: what a probe found before such a call is out of date. */
export class Refusals {
  #count = 0

  get count(): number {
    return this.#count
  }

  /** The same function, which counts them. A call that its own client ended does not count. */
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
