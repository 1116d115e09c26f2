import type { KeyRecord } from './key-record.ts'
import type { KeyRegistry } from './key-registry.ts'

/** Where a presented key is looked up. */
export interface KeySource {
  /** @param id of the key to be looked up next */
  checkSecret(id: string): Promise<string>
  /** The record, no older than the platform guarantees. @throws {ServiceError} `keys_unavailable` */
  find(id: string): Promise<KeyRecord | undefined>
  /** Notes a change made here, which must be effective from the next request on. */
  noteChange(id: string, version: number): void
}

/** Reads the store itself each time, so every change is effective at once, for all processes on the same file. */
export function localKeySource(registry: KeyRegistry): KeySource {
  return {
    checkSecret: async () => registry.checkSecret(),
    find: async (id) => registry.get(id),
    noteChange: () => undefined,
  }
}
