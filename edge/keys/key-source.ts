import { ServiceError } from '../../shared/api/errors.ts'
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
export function localKeySource(registry: Pick<KeyRegistry, 'checkSecret' | 'get'>): KeySource {
  return {
    checkSecret: async () => registry.checkSecret(),
    async find(id) {
      try {
        return registry.get(id)
      } catch (cause) {
        throw keysUnavailable(cause)
      }
    },
    noteChange: () => undefined,
  }
}

/** The store of the keys does not answer. @param cause for the log */
export function keysUnavailable(cause: unknown): ServiceError {
  return new ServiceError('keys_unavailable', 'API keys cannot be checked at the moment', { cause })
}
