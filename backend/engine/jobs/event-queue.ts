import type { EngineEvent, SampledLogprobs } from '../job.ts'

/** A pending `tokens` event that grows until it is read. */
interface OpenTokens {
  readonly type: 'tokens'
  readonly choice: number
  readonly ids: number[]
  readonly logprobs?: SampledLogprobs[]
}

/**
 * Carries one job's events from the engine's loop to their single reader. Unread tokens are joined into one event, so
 * a slow reader only costs memory for ids and holds up nothing. Everything after `end` or a failure is dropped.
 */
export class EventQueue {
  readonly #pending: EngineEvent[] = []
  /** Unread tokens of each choice. */
  readonly #unread = new Map<number, OpenTokens>()
  #state: 'open' | 'ended' | 'failed' = 'open'
  #error: Error | undefined
  #wake: (() => void) | undefined

  push(event: EngineEvent): void {
    if (this.#state !== 'open') return
    if (event.type === 'tokens') this.#pushTokens(event)
    else this.#pending.push(event)
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

  /** Yields events in order; returns after `end`. @throws the error passed to `fail` */
  async *read(): AsyncGenerator<EngineEvent, void> {
    for (;;) {
      const event = this.#pending.shift()
      if (event !== undefined) {
        if (event.type === 'tokens') this.#unread.delete(event.choice)
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
  #pushTokens(event: Extract<EngineEvent, { type: 'tokens' }>): void {
    const unread = this.#unread.get(event.choice)
    if (unread !== undefined) {
      unread.ids.push(...event.ids)
      unread.logprobs?.push(...(event.logprobs ?? []))
      return
    }
    const { choice, ids, logprobs } = event
    const tokens: OpenTokens = {
      type: 'tokens',
      choice,
      ids: [...ids],
      ...(logprobs && { logprobs: [...logprobs] }),
    }
    this.#unread.set(choice, tokens)
    this.#pending.push(tokens)
  }
}
