import { DurableObject } from 'cloudflare:workers'
import type { KeyRecord } from '../keys/key-record.ts'
import { KeyRegistry } from '../keys/key-registry.ts'
import type { KeyChanges, KeyStore, NewKey, SyncReply } from '../keys/key-store.ts'
import { objectSql } from './object-sql.ts'

/** The authority over keys and their revocation: there is one object in the world, and all isolates ask it. */
export class KeyAuthority extends DurableObject<unknown> implements KeyStore {
  readonly #registry: KeyRegistry

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env)
    this.#registry = new KeyRegistry(objectSql(ctx.storage), () => Date.now())
  }

  checkSecret(): string {
    return this.#registry.checkSecret()
  }
  sync(version: number, id: string): SyncReply {
    return this.#registry.sync(version, id)
  }
  get(id: string): KeyRecord | undefined {
    return this.#registry.get(id)
  }
  list(limit: number, after?: string): readonly KeyRecord[] {
    return this.#registry.list(limit, after)
  }
  create(key: NewKey): KeyRecord {
    return this.#registry.create(key)
  }
  update(id: string, changes: KeyChanges): KeyRecord | undefined {
    return this.#registry.update(id, changes)
  }
  revoke(id: string): KeyRecord | undefined {
    return this.#registry.revoke(id)
  }
  rotate(id: string, hash: string, graceMs: number): KeyRecord | undefined {
    return this.#registry.rotate(id, hash, graceMs)
  }
  remove(id: string): KeyRecord | undefined {
    return this.#registry.remove(id)
  }
}
