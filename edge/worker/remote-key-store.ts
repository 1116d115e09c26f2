import type { KeyStore } from '../keys/key-store.ts'

/** The Durable Object namespace of the key authority. */
export interface KeyNamespace {
  getByName(name: string): KeyStore
}

/**
 * The single object that is the authority. Each call uses a new handle, because an old one stays broken after a
 * failure.
 */
export function remoteKeyStore(namespace: KeyNamespace): KeyStore {
  const authority = () => namespace.getByName('keys')
  return {
    checkSecret: () => authority().checkSecret(),
    sync: (version, id, lacksCopy) => authority().sync(version, id, lacksCopy),
    get: (id) => authority().get(id),
    list: (limit, after) => authority().list(limit, after),
    create: (key) => authority().create(key),
    update: (id, changes) => authority().update(id, changes),
    revoke: (id) => authority().revoke(id),
    rotate: (id, hash, graceMs) => authority().rotate(id, hash, graceMs),
    remove: (id) => authority().remove(id),
  }
}
