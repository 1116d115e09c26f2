import type { KeyRecord } from './key-record.ts'

/** Local stores answer at once, remote ones later; callers always await. */
type Eventually<Value> = Value | Promise<Value>

/** What the maker of a key decides. */
export type NewKey = Pick<KeyRecord, 'id' | 'hash' | 'note' | 'scopes' | 'limits' | 'expiresAt'>

/** What may change in the life of a key, apart from its end and its secret. */
export type KeyChanges = Partial<Pick<KeyRecord, 'note' | 'scopes' | 'limits' | 'expiresAt'>>

/** A key was made, changed or removed. */
interface KeyChange {
  readonly id: string
  readonly version: number
}

/** What an isolate learns from the authority with one question. */
export interface SyncReply {
  /** Everything up to this change is accounted for. */
  readonly version: number
  /** Where the told changes begin: later than asked when that is too long ago, or earlier when the store was set back. */
  readonly since: number
  /** The latest change of each key that changed after `since`, oldest first. */
  readonly changed: readonly KeyChange[]
  readonly checkSecret: string
  /** The key that was asked for, as it is now. */
  readonly record: KeyRecord | undefined
}

/** Where keys live. Every change is atomic, and visible to the next question of anybody. */
export interface KeyStore {
  /** Keys this installation made carry a check made with it. */
  checkSecret(): Eventually<string>
  /**
   * What changed after `version`, and the record of `id`.
   * @param lacksCopy whether the key was looked for among the copies, and no usable one was found
   */
  sync(version: number, id: string, lacksCopy?: boolean): Eventually<SyncReply>
  get(id: string): Eventually<KeyRecord | undefined>
  /** In order of creation. @param after id of the last key already seen. @returns undefined when there is none with it */
  list(limit: number, after?: string): Eventually<readonly KeyRecord[] | undefined>
  create(key: NewKey): Eventually<KeyRecord>
  /** @returns undefined when there is no such key, as all below */
  update(id: string, changes: KeyChanges): Eventually<KeyRecord | undefined>
  /** For good. Revoking twice changes nothing. */
  revoke(id: string): Eventually<KeyRecord | undefined>
  /**
   * Replaces the secret; the old one stays good for `graceMs`, the one before it ends now. A key that has ended keeps its
   * own: the record returned then has another hash.
   */
  rotate(id: string, hash: string, graceMs: number): Eventually<KeyRecord | undefined>
  /** @returns the record as it was, with the version of its removal */
  remove(id: string): Eventually<KeyRecord | undefined>
}
