import type { KeyRecord } from './key-record.ts'
import type { KeyRegistry } from './key-registry.ts'

/** Where a key that is presented is looked up. */
export interface KeySource {
  /** @param id of the key to be looked up next */
  checkSecret(id: string): Promise<string>
  /** The record, no older than the platform promises. @throws {ServiceError} `keys_unavailable` */
  find(id: string): Promise<KeyRecord | undefined>
  /** A change made here, which must count from the next request on. */
  noteChange(id: string, version: number): void
}

/** Looks into the store itself each time: every change counts at once, for all processes on the same file. */
export function localKeySource(registry: KeyRegistry): KeySource {
  return {
    checkSecret: async () => registry.checkSecret(),
    find: async (id) => registry.get(id),
    noteChange: () => undefined,
  }
}
