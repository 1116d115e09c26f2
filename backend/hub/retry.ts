import { setTimeout as delay } from 'node:timers/promises'
import { formatSeconds } from '../../shared/progress/amounts.ts'
import type { Report } from '../../shared/progress/progress.ts'

/** A failure that may go away when the action is retried. */
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
  /** Consecutive attempts without progress: with the pauses below, over two minutes without a network. */
  readonly tries: number
  /** Milliseconds before the second attempt, doubled before each further one. */
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  /** Milliseconds; a server that asks for a longer pause than this is not waited for. */
  readonly longestRetryAfterMs: number
}

export const defaultRetryPolicy: RetryPolicy = {
  tries: 9,
  firstPauseMs: 500,
  longestPauseMs: 30_000,
  longestRetryAfterMs: 15 * 60_000,
}

/** Counts attempts without progress and waits between them. */
export class Retries {
  readonly #policy: RetryPolicy
  readonly #report: Report
  #failed = 0

  /** @param report receives why there is a pause, and how long it is */
  constructor(policy: RetryPolicy, report: Report = () => {}) {
    this.#policy = policy
    this.#report = report
  }

  /** There was progress: the next failure counts as the first. */
  progressed(): void {
    this.#failed = 0
  }

  /**
   * Waits before another attempt. @throws the given error when it is not temporary, occurred too often or asks for
   * too long a wait
   */
  async pause(error: unknown, signal: AbortSignal): Promise<void> {
    const { tries, firstPauseMs, longestPauseMs, longestRetryAfterMs } = this.#policy
    this.#failed += 1
    if (!(error instanceof PassingError) || this.#failed >= tries) throw error
    const { retryAfterMs } = error
    if ((retryAfterMs ?? 0) > longestRetryAfterMs) throw error
    const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#failed - 1))
    // Clients that failed together should not return together.
    const ms = retryAfterMs ?? pause * (0.5 + Math.random() / 2)
    this.#report(`${error.message}; trying again in ${formatSeconds(Math.ceil(ms / 1_000))}`)
    await delay(ms, undefined, { signal })
  }
}
