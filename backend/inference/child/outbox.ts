import { isDeepStrictEqual } from 'node:util'
import type { EngineSnapshot } from '../../engine/job.ts'
import type { JobUpdate, ToParent } from '../protocol.ts'

/** Collects the results of one turn of the engine into one message, because a message costs more than its content. */
export class Outbox {
  readonly #send: (message: ToParent) => void
  readonly #snapshot: () => EngineSnapshot
  #lastSnapshot: EngineSnapshot
  #jobs: JobUpdate[] = []
  #scheduled = false

  /** @param snapshot returns the current counters, which are sent along when they changed */
  constructor(send: (message: ToParent) => void, snapshot: () => EngineSnapshot) {
    this.#send = send
    this.#snapshot = snapshot
    this.#lastSnapshot = snapshot()
  }

  /** Sends soon, in case the engine has no further turn. */
  post(update: JobUpdate): void {
    this.#jobs.push(update)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.flush()
    })
  }

  /** Sends what is pending now, if anything. */
  flush(): void {
    const current = this.#snapshot()
    const snapshot = isDeepStrictEqual(current, this.#lastSnapshot) ? undefined : current
    if (this.#jobs.length === 0 && snapshot === undefined) return
    this.#lastSnapshot = current
    this.#send({ type: 'update', jobs: this.#jobs, snapshot })
    this.#jobs = []
  }
}
