import { ServiceError } from '../../shared/api/errors.ts'
import type { KeyRecord } from './key-record.ts'
import type { KeySource } from './key-source.ts'
import type { KeyStore, SyncReply } from './key-store.ts'

/** Milliseconds a key may go on being accepted after its revocation: one question per isolate and two seconds costs little. */
export const defaultMaxStaleMs = 2_000

/** Milliseconds known keys are accepted while the authority is out of reach: longer than its moves and restarts take. */
export const defaultGraceMs = 30_000

/** Records one isolate remembers: a few megabytes of its 128. */
const maxRecords = 10_000

/** Milliseconds the authority has to answer; it takes a network round trip and less than one of work. */
const syncTimeoutMs = 2_000

/** Milliseconds between attempts to reach an authority that is gone, as long as answers go on without it. */
const retryPauseMs = 500

interface SyncOptions {
  /** Milliseconds a key may go on being accepted after it was revoked elsewhere; 0 asks on each request. */
  readonly maxStaleMs: number
  /** Milliseconds known keys are accepted while the authority is out of reach. Not with `maxStaleMs` 0. */
  readonly graceMs: number
  /** Milliseconds, on a clock that does not run ahead of the asking of a question. */
  readonly now: () => number
}

/**
 * What one isolate knows of the keys, kept true by asking the authority what changed. A request that finds the
 * knowledge too old asks and waits itself: refreshing in the background would promise nothing in an idle isolate,
 * and a Worker must not wait for what another request asked.
 */
export class SyncedKeySource implements KeySource {
  readonly #store: Pick<KeyStore, 'sync'>
  readonly #options: SyncOptions
  /** undefined: no such key. */
  readonly #records = new Map<string, KeyRecord | undefined>()
  #checkSecret: string | undefined
  /** Changes up to here are accounted for. */
  #version = 0
  /** The latest change heard of; what is older may be outdated, and is not kept. */
  #newestVersion = 0
  /** When the question was asked whose answer is the latest. What is known is at least that young. */
  #askedAt = -Infinity
  #retryAt = -Infinity

  constructor(store: Pick<KeyStore, 'sync'>, options: SyncOptions) {
    this.#store = store
    this.#options = options
  }

  async checkSecret(id: string): Promise<string> {
    if (this.#checkSecret !== undefined) return this.#checkSecret
    const { checkSecret } = await this.#ask(id)
    return checkSecret
  }

  async find(id: string): Promise<KeyRecord | undefined> {
    const age = this.#age()
    if (this.#records.has(id)) {
      if (age < this.#options.maxStaleMs) return this.#records.get(id)
      if (this.#mayGoOn(age) && this.#options.now() < this.#retryAt) return this.#records.get(id)
    }
    try {
      return (await this.#ask(id)).record
    } catch (error) {
      // Time has passed, and another request may have had better luck.
      if (this.#records.has(id) && this.#mayGoOn(this.#age())) return this.#records.get(id)
      throw error
    }
  }

  noteChange(id: string, version: number): void {
    this.#newestVersion = Math.max(this.#newestVersion, version)
    this.#records.delete(id)
  }

  /** Milliseconds. A clock that was set back makes what is known infinitely old. */
  #age(): number {
    const age = this.#options.now() - this.#askedAt
    return age < 0 ? Infinity : age
  }

  #mayGoOn(age: number): boolean {
    return this.#options.maxStaleMs > 0 && age < this.#options.graceMs
  }

  async #ask(id: string): Promise<SyncReply> {
    const askedAt = this.#options.now()
    try {
      const reply = await withinTime(this.#store.sync(this.#version, id))
      this.#learn(id, reply, askedAt)
      return reply
    } catch (cause) {
      this.#retryAt = this.#options.now() + retryPauseMs
      const message = 'API keys cannot be checked at the moment'
      throw new ServiceError('keys_unavailable', message, { cause })
    }
  }

  /** Answers may come in another order than the questions went. */
  #learn(id: string, reply: SyncReply, askedAt: number): void {
    this.#checkSecret = reply.checkSecret
    if (reply.changed === undefined) this.#forgetAll(reply.version)
    else for (const changedId of reply.changed) this.#records.delete(changedId)
    if (reply.version >= this.#newestVersion) this.#remember(id, reply.record)
    this.#version = Math.max(this.#version, reply.version)
    this.#newestVersion = Math.max(this.#newestVersion, reply.version)
    this.#askedAt = this.#age() === Infinity ? askedAt : Math.max(this.#askedAt, askedAt)
  }

  /** Also when the store was set back to an earlier state: its versions count from there. */
  #forgetAll(version: number): void {
    this.#records.clear()
    this.#version = version
    this.#newestVersion = version
  }

  #remember(id: string, record: KeyRecord | undefined): void {
    this.#records.delete(id)
    this.#records.set(id, record)
    const [oldest] = this.#records.keys()
    if (this.#records.size > maxRecords && oldest !== undefined) this.#records.delete(oldest)
  }
}

function withinTime<Value>(answer: Value | Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    const late = new Error(`The key authority did not answer within ${syncTimeoutMs} ms`)
    const timer = setTimeout(() => reject(late), syncTimeoutMs)
    void Promise.resolve(answer)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer))
  })
}
