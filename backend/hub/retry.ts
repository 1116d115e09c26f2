import { setTimeout as delay } from 'node:timers/promises'

/** Something that may work when it is tried again. */
export class PassingError extends Error {
  override readonly name = 'PassingError'
  /** Milliseconds the other side asks to wait. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, options: ErrorOptions & { readonly retryAfterMs?: number } = {}) {
    super(message, options)
    this.retryAfterMs = options.retryAfterMs
  }
}

export interface RetryPolicy {
  /** Tries in a row without any progress: with the pauses below, over two minutes without a network. */
  readonly tries: number
  /** Milliseconds before the second try; twice as many before each further one. */
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  /** Milliseconds; who asks for a longer pause than this is not waited for. */
  readonly longestRetryAfterMs: number
}

export const defaultRetryPolicy: RetryPolicy = {
  tries: 9,
  firstPauseMs: 500,
  longestPauseMs: 30_000,
  longestRetryAfterMs: 15 * 60_000,
}

/** Counts tries that brought nothing, and waits between them. */
export class Retries {
  readonly #policy: RetryPolicy
  #failed = 0

  constructor(policy: RetryPolicy) {
    this.#policy = policy
  }

  /** Something was gained: the next failure is the first again. */
  progressed(): void {
    this.#failed = 0
  }

  /** Waits before another try. @throws what it was given, when it is not passing, too often, or asks to wait too long */
  async pause(error: unknown, signal: AbortSignal): Promise<void> {
    const { tries, firstPauseMs, longestPauseMs, longestRetryAfterMs } = this.#policy
    this.#failed += 1
    if (!(error instanceof PassingError) || this.#failed >= tries) throw error
    const { retryAfterMs } = error
    if ((retryAfterMs ?? 0) > longestRetryAfterMs) throw error
    const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#failed - 1))
    // Those who failed together must not come back together.
    await delay(retryAfterMs ?? pause * (0.5 + Math.random() / 2), undefined, { signal })
  }
}
