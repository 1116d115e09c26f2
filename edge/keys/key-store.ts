import type { KeyRecord } from './key-record.ts'

/** Local stores answer at once, remote ones later; callers always await. */
type Eventually<Value> = Value | Promise<Value>

/** What the creator of a key decides. */
export type NewKey = Pick<KeyRecord, 'id' | 'hash' | 'note' | 'scopes' | 'limits' | 'expiresAt'>

/** What may change during the life of a key, apart from its end and its secret. */
export type KeyChanges = Partial<Pick<KeyRecord, 'note' | 'scopes' | 'limits' | 'expiresAt'>>

/** A key was created, changed or removed. */
interface KeyChange {
  readonly id: string
  readonly version: number
}

/** What an isolate learns from the authority in one request. */
export interface SyncReply {
  /** All changes up to this version are accounted for. */
  readonly version: number
  /**
   * Where the reported changes begin: later than requested when that is too long ago, or earlier when the store was
   * restored.
   */
  readonly since: number
  /** The latest change of each key that changed after `since`, oldest first. */
  readonly changed: readonly KeyChange[]
  readonly checkSecret: string
  /** The current record of the requested key. */
  readonly record: KeyRecord | undefined
}

/** Where keys live. Every change is atomic, and visible to every later request. */
export interface KeyStore {
  /** The secret behind the checks in the keys that this installation made. */
  checkSecret(): Eventually<string>
  /**
   * The changes after `version`, and the record of `id`.
   * @param lacksCopy whether a copy of the key was looked for and no usable one was found
   */
  sync(version: number, id: string, lacksCopy?: boolean): Eventually<SyncReply>
  get(id: string): Eventually<KeyRecord | undefined>
  /**
   * In order of creation. @param after id of the last key already seen. @returns undefined when that key does not
   * exist
   */
  list(limit: number, after?: string): Eventually<readonly KeyRecord[] | undefined>
  create(key: NewKey): Eventually<KeyRecord>
  /** @returns undefined when there is no such key, like all methods below */
  update(id: string, changes: KeyChanges): Eventually<KeyRecord | undefined>
  /** Revokes for good. Revoking twice changes nothing. */
  revoke(id: string): Eventually<KeyRecord | undefined>
  /**
   * Replaces the secret; the old one stays valid for `graceMs`, the one before it ends now. A key that has ended
   * keeps its secret: the returned record then has a different hash.
   */
  rotate(id: string, hash: string, graceMs: number): Eventually<KeyRecord | undefined>
  /** @returns the record before its removal, with the version of the removal */
  remove(id: string): Eventually<KeyRecord | undefined>
}
