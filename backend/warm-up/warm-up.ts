import type { After } from '../../shared/async/timer.ts'
import type { Describe, DescribeRequest } from '../describe.ts'
import { tenantOfServer } from '../tenant.ts'
import { tinyPicture } from './tiny-picture.ts'

/** Milliseconds one attempt may take: behind a long queue, and with weights read from a slow disk. */
const attemptMs = 300_000

/**
 * Milliseconds before the first repetition of a failed attempt, and the longest wait; each wait is twice the previous
 * one.
 */
const firstPauseMs = 500
const longestPauseMs = 30_000

interface WarmUpParts {
  readonly describe: Describe
  readonly after: After
  /** Called with each failure, for the operator. */
  readonly onFailure: (problem: Error) => void
}

/**
 * Proves that the whole path works, from a picture to the tokens about it: a loaded model does not yet mean that it
 * can answer. Runs at batch priority, so that no request waits for it longer than for one short answer.
 */
export class WarmUp {
  readonly #parts: WarmUpParts
  readonly #once = Promise.withResolvers<void>()
  #passed = false
  #running = new AbortController()

  constructor(parts: WarmUpParts) {
    this.#parts = parts
  }

  /** Settles when a picture was described for the first time. */
  get passedOnce(): Promise<void> {
    return this.#once.promise
  }

  /** Whether the current engine has described a picture. */
  get passed(): boolean {
    return this.#passed
  }

  /**
   * A new engine has started, so earlier results no longer count. Tries until it succeeds, or until the next `begin`
   * or `stop`.
   */
  async begin(): Promise<void> {
    this.stop()
    const running = new AbortController()
    this.#running = running
    const { signal } = running
    for (
      let pauseMs = firstPauseMs;
      !signal.aborted;
      pauseMs = Math.min(2 * pauseMs, longestPauseMs)
    ) {
      if (await this.#attempt(signal)) return this.#pass()
      await this.#pause(pauseMs, signal)
    }
  }

  stop(): void {
    this.#passed = false
    this.#running.abort()
  }

  #pass(): void {
    this.#passed = true
    this.#once.resolve()
  }

  /** @returns whether a picture was described while `signal` was not aborted */
  async #attempt(signal: AbortSignal): Promise<boolean> {
    try {
      await describeTinyPicture(this.#parts.describe, signal)
      return !signal.aborted
    } catch (thrown) {
      if (!signal.aborted) this.#parts.onFailure(thrown as Error)
      return false
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const callOff = this.#parts.after(ms, resolve)
      signal.addEventListener(
        'abort',
        () => {
          callOff()
          resolve()
        },
        { once: true },
      )
    })
  }
}

/** @throws the error a client would get, or one saying that the answer broke off */
async function describeTinyPicture(describe: Describe, signal: AbortSignal): Promise<void> {
  const request: DescribeRequest = {
    tenant: tenantOfServer,
    priority: 'batch',
    timeoutMs: attemptMs,
    messages: [
      { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'Describe it.' }] },
    ],
    images: [tinyPicture()],
    maxTokens: 2,
    sampling: { temperature: 0 },
    stop: [],
    choices: 1,
    topLogprobs: undefined,
  }
  for await (const event of describe(request, signal)) {
    if (event.type === 'end' && event.usage.image_tokens > 0) return
  }
  throw new Error('The test generation ended without an answer about its picture')
}
