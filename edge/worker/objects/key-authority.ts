import { DurableObject } from 'cloudflare:workers'
import { CopyWriter, type CopyNamespace } from '../../keys/key-copies.ts'
import type { KeyRecord } from '../../keys/key-record.ts'
import { KeyRegistry } from '../../keys/key-registry.ts'
import type { KeyChanges, KeyStore, NewKey, SyncReply } from '../../keys/key-store.ts'
import { writeWorkerLine } from '../log.ts'
import { objectSql } from './object-sql.ts'

/** The Worker's bindings that the authority uses. */
interface AuthorityEnv {
  readonly KEYS: CopyNamespace
}

/**
 * The authority over keys and their revocation: a single object in the world, which all isolates call. It keeps a
 * copy of each record where isolates can read it nearby; no answer waits for that, and no guarantee depends on it.
 */
export class KeyAuthority extends DurableObject<AuthorityEnv> implements KeyStore {
  readonly #registry: KeyRegistry
  readonly #copies: CopyWriter

  constructor(ctx: DurableObjectState, env: AuthorityEnv) {
    super(ctx, env)
    const now = () => Date.now()
    this.#registry = new KeyRegistry(objectSql(ctx.storage), now)
    const checkSecret = this.#registry.checkSecret()
    this.#copies = new CopyWriter({ namespace: env.KEYS, checkSecret, now, log: writeWorkerLine })
  }

  checkSecret(): string {
    return this.#registry.checkSecret()
  }
  sync(version: number, id: string, lacksCopy = false): SyncReply {
    const reply = this.#registry.sync(version, id)
    if (lacksCopy && reply.record !== undefined) {
      this.ctx.waitUntil(this.#copies.repair(reply.record, reply.version))
    }
    return reply
  }
  get(id: string): KeyRecord | undefined {
    return this.#registry.get(id)
  }
  list(limit: number, after?: string): readonly KeyRecord[] | undefined {
    return this.#registry.list(limit, after)
  }
  create(key: NewKey): KeyRecord {
    return this.#copied(this.#registry.create(key))
  }
  update(id: string, changes: KeyChanges): KeyRecord | undefined {
    return this.#copied(this.#registry.update(id, changes))
  }
  revoke(id: string): KeyRecord | undefined {
    return this.#copied(this.#registry.revoke(id))
  }
  rotate(id: string, hash: string, graceMs: number): KeyRecord | undefined {
    return this.#copied(this.#registry.rotate(id, hash, graceMs))
  }
  remove(id: string): KeyRecord | undefined {
    const record = this.#registry.remove(id)
    if (record !== undefined) this.ctx.waitUntil(this.#copies.remove(id))
    return record
  }

  /** A record that was just written is current as of its own version. */
  #copied<Changed extends KeyRecord | undefined>(record: Changed): Changed {
    if (record !== undefined) this.ctx.waitUntil(this.#copies.write(record, record.version))
    return record
  }
}
