import { isDeepStrictEqual } from 'node:util'
import type { EngineSnapshot } from '../engine/job.ts'
import type { JobUpdate, ToParent } from './protocol.ts'

/** Collects what one turn of the engine brings into one message: a message costs more than what it carries. */
export class Outbox {
  readonly #send: (message: ToParent) => void
  readonly #snapshot: () => EngineSnapshot
  #lastSnapshot: EngineSnapshot
  #jobs: JobUpdate[] = []
  #scheduled = false

  /** @param snapshot the counters as they are now; sent along when they changed */
  constructor(send: (message: ToParent) => void, snapshot: () => EngineSnapshot) {
    this.#send = send
    this.#snapshot = snapshot
    this.#lastSnapshot = snapshot()
  }

  /** Sends soon, for the case that the engine has no further turn. */
  post(update: JobUpdate): void {
    this.#jobs.push(update)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.flush()
    })
  }

  /** Sends now what there is to tell, if anything. */
  flush(): void {
    const current = this.#snapshot()
    const snapshot = isDeepStrictEqual(current, this.#lastSnapshot) ? undefined : current
    if (this.#jobs.length === 0 && snapshot === undefined) return
    this.#lastSnapshot = current
    this.#send({ type: 'update', jobs: this.#jobs, snapshot })
    this.#jobs = []
  }
}
