import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Asked, Asking } from './ask.ts'

/** Sends a picture again and again from a thread of its own: megabytes would hold up others in this one. */
export class HostileClient {
  readonly #thread: Worker

  constructor(asking: Asking) {
    this.#thread = new Worker(new URL('./hostile-thread.ts', import.meta.url), {
      workerData: asking,
    })
  }

  /** Sends the picture as often at once. @returns when all have been answered */
  async send(count: number): Promise<readonly Asked[]> {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, which has no origin
    this.#thread.postMessage(count)
    const [answers] = (await once(this.#thread, 'message')) as [Asked[]]
    return answers
  }

  async close(): Promise<void> {
    await this.#thread.terminate()
  }
}
