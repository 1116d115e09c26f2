import { ChangeWindow } from './change-window.ts'
import type { ReadCopy } from './key-copies.ts'
import type { KeyRecord } from './key-record.ts'
import { type KeySource, keysUnavailable } from './key-source.ts'
import type { KeyStore, SyncReply } from './key-store.ts'
import { withinTime } from '../../shared/async/within-time.ts'

/**
 * Milliseconds a key may still be accepted after its revocation: one request per isolate every two seconds costs
 * little.
 */
export const defaultMaxStaleMs = 2_000

/** Milliseconds known keys are accepted while the authority is unreachable: longer than its moves and restarts take. */
export const defaultGraceMs = 30_000

/** Records one isolate remembers: a few megabytes of its 128. */
const maxRecords = 10_000

/** Milliseconds the authority has to answer; it takes a network round trip and less than one of work. */
const syncTimeoutMs = 2_000

/** Milliseconds between attempts to reach an unreachable authority, as long as requests can be answered without it. */
const retryPauseMs = 500

interface SyncOptions {
  /** Milliseconds a key may still be accepted after it was revoked elsewhere; 0 asks on each request. */
  readonly maxStaleMs: number
  /** Milliseconds known keys are accepted while the authority is unreachable. Not with `maxStaleMs` 0. */
  readonly graceMs: number
  /** Milliseconds, on a clock that does not run ahead of the time a request is sent. */
  readonly now: () => number
  /** Looks for a copy of a record nearby. */
  readonly readCopy: ReadCopy
}

/**
 * One isolate's knowledge of the keys, kept up to date by asking the authority what changed. A request that finds
 * this knowledge too old asks and waits itself: refreshing in the background would guarantee nothing in an idle
 * isolate, and a Worker must not wait for what another request asked.
 *
 * A record that is not known here is first looked for among the copies, as long as the knowledge of changes is recent
 * enough to tell whether a copy is still current. So no guarantee depends on the copies; they only save requests.
 */
export class SyncedKeySource implements KeySource {
  readonly #store: Pick<KeyStore, 'sync'>
  readonly #options: SyncOptions
  /** undefined: there is no such key. */
  readonly #records = new Map<string, KeyRecord | undefined>()
  readonly #changes = new ChangeWindow()
  #checkSecret: string | undefined
  /** When the request with the latest answer was sent. The knowledge is at least that recent. */
  #askedAt = -Infinity
  #retryAt = -Infinity

  constructor(store: Pick<KeyStore, 'sync'>, options: SyncOptions) {
    this.#store = store
    this.#options = options
  }

  /**
   * Milliseconds for which a revocation may have gone unnoticed here; infinite before the first question, and when the
   * clock was set back.
   */
  get ageMs(): number {
    const age = this.#options.now() - this.#askedAt
    return age < 0 ? Infinity : age
  }

  async checkSecret(id: string): Promise<string> {
    if (this.#checkSecret !== undefined) return this.#checkSecret
    const { checkSecret } = await this.#ask(id)
    return checkSecret
  }

  async find(id: string): Promise<KeyRecord | undefined> {
    const looksNearby = this.#needsNoAnswer()
    if (looksNearby) {
      const known = await this.#known(id, () => this.#needsNoAnswer())
      if (known !== undefined) return known.record
    }
    try {
      return (await this.#ask(id, looksNearby)).record
    } catch (error) {
      // Time has passed, and another request may have been luckier.
      const known = await this.#known(id, () => this.#mayGoOn())
      if (known !== undefined) return known.record
      throw error
    }
  }

  noteChange(id: string, version: number): void {
    this.#changes.note(id, version)
    this.#records.delete(id)
  }

  /** What is known here or nearby. @param isYoung whether the knowledge of changes is recent enough, now */
  async #known(id: string, isYoung: () => boolean): Promise<Known | undefined> {
    if (!isYoung()) return undefined
    if (this.#records.has(id)) return { record: this.#records.get(id) }
    if (this.#checkSecret === undefined) return undefined
    const copy = await this.#options.readCopy(id, this.#checkSecret)
    // Time has passed in the meantime, and more may have become known.
    if (copy === undefined || !isYoung()) return undefined
    if (!this.#changes.isCurrent(id, copy.asOf)) return undefined
    this.#remember(id, copy.record)
    return copy
  }

  /** Whether the knowledge is recent enough, or the authority is unreachable and should not be asked again yet. */
  #needsNoAnswer(): boolean {
    if (this.ageMs < this.#options.maxStaleMs) return true
    return this.#mayGoOn() && this.#options.now() < this.#retryAt
  }

  #mayGoOn(): boolean {
    return this.#options.maxStaleMs > 0 && this.ageMs < this.#options.graceMs
  }

  async #ask(id: string, lacksCopy = false): Promise<SyncReply> {
    const askedAt = this.#options.now()
    const { version } = this.#changes
    try {
      const late = `The key authority did not answer within ${syncTimeoutMs} ms`
      const answer = this.#store.sync(version, id, lacksCopy)
      const reply = await withinTime(answer, syncTimeoutMs, late)
      this.#learn(id, reply, askedAt, version)
      return reply
    } catch (cause) {
      this.#retryAt = this.#options.now() + retryPauseMs
      throw keysUnavailable(cause)
    }
  }

  #learn(id: string, reply: SyncReply, askedAt: number, askedVersion: number): void {
    this.#checkSecret = reply.checkSecret
    const outdated = this.#changes.learn(reply, askedVersion)
    if (outdated === undefined) this.#records.clear()
    else for (const changedId of outdated) this.#records.delete(changedId)
    if (this.#changes.isCurrent(id, reply.version)) this.#remember(id, reply.record)
    this.#askedAt = this.ageMs === Infinity ? askedAt : Math.max(this.#askedAt, askedAt)
  }

  #remember(id: string, record: KeyRecord | undefined): void {
    this.#records.delete(id)
    this.#records.set(id, record)
    const [oldest] = this.#records.keys()
    if (this.#records.size > maxRecords && oldest !== undefined) this.#records.delete(oldest)
  }
}

interface Known {
  /** undefined: there is no such key. */
  readonly record: KeyRecord | undefined
}
