import type * as z from 'zod'
import type {
  changeKeyFields,
  createKeyFields,
  KeyView,
} from '../../shared/api/administration/keys.ts'
import { ServiceError } from '../../shared/api/errors.ts'
import { errorText } from '../../shared/log/error-text.ts'
import type { LogLine } from '../../shared/log/log-line.ts'
import type { Call } from '../calls/call.ts'
import type { IdempotencyStore } from '../idempotency/idempotency-store.ts'
import type { ApiKeys } from '../keys/api-keys.ts'
import type { KeyRecord } from '../keys/key-record.ts'
import type { KeyChanges, KeyStore } from '../keys/key-store.ts'
import { limitsOf, statusOf, viewOf } from '../keys/key-view.ts'
import { noSuchPage } from './check.ts'

export interface KeyAdministrationParts {
  readonly keys: Pick<ApiKeys, 'issue' | 'noteChange'>
  /** The store in which administrators change keys. */
  readonly keyStore: KeyStore
  readonly log: (line: LogLine) => void
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  readonly answers: Pick<IdempotencyStore, 'forget'>
}

/** A newly created key, with its text, which is shown only this once. */
export interface IssuedKey {
  readonly text: string
  readonly view: KeyView
}

type Changes = z.infer<typeof changeKeyFields>

/**
 * What administrators do with keys. A change is effective here at once, and the log says who made it.
 * All throw a ServiceError: `not_found`, or `keys_unavailable` when the store fails; then either nothing has changed
 * or everything.
 */
export class KeyAdministration {
  readonly #parts: KeyAdministrationParts

  constructor(parts: KeyAdministrationParts) {
    this.#parts = parts
  }

  async create(call: Call, fields: z.infer<typeof createKeyFields>): Promise<IssuedKey> {
    const { keys, keyStore, wallClock } = this.#parts
    const { note, scopes, limits, expires_at } = fields
    const expiresAt = timeOf(expires_at)
    if (expiresAt !== null && expiresAt <= wallClock()) {
      const message = `expires_at must be in the future, received "${String(expires_at)}"`
      throw new ServiceError('invalid_field', message, { param: 'expires_at' })
    }
    const { id, text, hash } = await keys.issue()
    const key = { id, hash, note, scopes, limits: limitsOf(limits), expiresAt }
    const record = await reach(() => keyStore.create(key))
    return { text, view: this.#noted(call, record, 'created') }
  }

  /** @param after the last key of the page before */
  async list(limit: number, after: string | undefined) {
    const records = await reach(() => this.#parts.keyStore.list(limit + 1, after))
    if (records === undefined) throw noSuchPage(after)
    const keys = records.slice(0, limit).map((record) => this.#view(record))
    return { keys, has_more: records.length > limit }
  }

  async show(id: string): Promise<KeyView> {
    return this.#view(await this.#find(id, (store) => store.get(id)))
  }

  async change(call: Call, id: string, fields: Changes): Promise<KeyView> {
    const record = await this.#find(id, (store) => store.update(id, changesOf(fields)))
    return this.#noted(call, record, 'changed', Object.keys(fields))
  }

  async remove(call: Call, id: string): Promise<void> {
    this.#noted(call, await this.#find(id, (store) => store.remove(id)), 'removed')
    await this.#forgetAnswers(call, id)
  }

  async revoke(call: Call, id: string): Promise<KeyView> {
    const revoked = this.#noted(call, await this.#find(id, (store) => store.revoke(id)), 'revoked')
    await this.#forgetAnswers(call, id)
    return revoked
  }

  /** @param graceMs how long the old text keeps working */
  async rotate(call: Call, id: string, graceMs: number): Promise<IssuedKey> {
    const { text, hash } = await this.#parts.keys.issue(id)
    const record = await this.#find(id, (store) => store.rotate(id, hash, graceMs))
    if (record.hash !== hash) {
      const status = statusOf(record, this.#parts.wallClock())
      throw new ServiceError('key_not_active', `Cannot rotate key ${id}: it is ${status}`)
    }
    return { text, view: this.#noted(call, record, 'rotated') }
  }

  async #find(
    id: string,
    action: (store: KeyStore) => ReturnType<KeyStore['get']>,
  ): Promise<KeyRecord> {
    const record = await reach(() => action(this.#parts.keyStore))
    if (record !== undefined) return record
    throw new ServiceError('not_found', `There is no key ${id}`, { param: 'id' })
  }

  #view(record: KeyRecord): KeyView {
    return viewOf(record, this.#parts.wallClock())
  }

  #noted(call: Call, record: KeyRecord, change: string, fields?: readonly string[]): KeyView {
    this.#parts.keys.noteChange(record.id, record.version)
    this.#parts.log({
      level: 'warn',
      message: 'audit',
      request_id: call.requestId,
      change: `key ${change}`,
      changed_key_id: record.id,
      by_key_id: call.key?.id,
      address: call.address,
      ...(fields !== undefined && { fields: fields.join(',') }),
    })
    return this.#view(record)
  }

  /** Removes the kept answers of a key that has ended. If they cannot be reached, they expire in their own time. */
  async #forgetAnswers({ requestId }: Call, id: string): Promise<void> {
    const { answers, log } = this.#parts
    try {
      // On Node one part at a time, so that other requests get their turn.
      while (await answers.forget(id)) await new Promise((resolve) => setTimeout(resolve, 0))
    } catch (error) {
      log({
        level: 'error',
        message: 'kept answers of a key that no longer works were not removed',
        request_id: requestId,
        key_id: id,
        detail: errorText(error),
      })
    }
  }
}

function changesOf({ note, scopes, limits, expires_at }: Changes): KeyChanges {
  return {
    ...(note !== undefined && { note }),
    ...(scopes !== undefined && { scopes }),
    ...(limits !== undefined && { limits: limitsOf(limits) }),
    ...(expires_at !== undefined && { expiresAt: timeOf(expires_at) }),
  }
}

function timeOf(text: string | null): number | null {
  return text === null ? null : Date.parse(text)
}

async function reach<Value>(action: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await action()
  } catch (cause) {
    throw new ServiceError('keys_unavailable', 'API keys cannot be managed at the moment', {
      cause,
    })
  }
}
