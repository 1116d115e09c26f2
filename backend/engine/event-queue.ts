import type { EngineEvent } from './job.ts'

/**
 * Carries one job's events from the loop that makes them to the one reader. Unread tokens are joined into one event,
 * so a slow reader costs memory for ids only and slows nobody. Everything after `end` or a failure is dropped.
 */
export class EventQueue {
  readonly #pending: EngineEvent[] = []
  /** Ids of the last pending event while it is a `tokens` event, to append to. */
  #openIds: number[] | undefined
  #state: 'open' | 'ended' | 'failed' = 'open'
  #error: Error | undefined
  #wake: (() => void) | undefined

  push(event: EngineEvent): void {
    if (this.#state !== 'open') return
    if (event.type === 'tokens' && this.#openIds !== undefined) {
      this.#openIds.push(...event.ids)
    } else if (event.type === 'tokens') {
      this.#openIds = [...event.ids]
      this.#pending.push({ type: 'tokens', ids: this.#openIds })
    } else {
      this.#openIds = undefined
      this.#pending.push(event)
    }
    if (event.type === 'end') this.#state = 'ended'
    this.#wake?.()
  }

  /** The reader gets what is pending, then this error. */
  fail(error: Error): void {
    if (this.#state !== 'open') return
    this.#state = 'failed'
    this.#error = error
    this.#wake?.()
  }

  /** Yields events in order; returns after `end`. @throws what `fail` was given */
  async *read(): AsyncGenerator<EngineEvent, void> {
    for (;;) {
      const event = this.#pending.shift()
      if (event !== undefined) {
        if (this.#pending.length === 0) this.#openIds = undefined
        yield event
      } else if (this.#error !== undefined) {
        throw this.#error
      } else if (this.#state === 'ended') {
        return
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    }
  }
}
