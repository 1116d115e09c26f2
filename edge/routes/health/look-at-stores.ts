import { settlesWithin } from '../../../shared/async/within-time.ts'
import { rootKey } from '../../keys/key-record.ts'
import type { KeyStore } from '../../keys/key-store.ts'
import type { Meter } from '../../limits/meter.ts'
import { probeTimeoutMs } from './ask-backend.ts'

export interface StoreParts {
  readonly keyStore: Pick<KeyStore, 'get'>
  readonly meter: Pick<Meter, 'check'>
}

/**
 * Which stores do what a call needs: that of the keys is read, that of the limits written to. On a Worker the root key's
 * meter serves as a sample of all.
 */
export async function lookAtStores({ keyStore, meter }: StoreParts) {
  const [keys, limits] = await Promise.all([
    works(async () => keyStore.get(rootKey.id)),
    works(() => meter.check(rootKey.id)),
  ])
  return { keys, limits }
}

async function works(ask: () => Promise<unknown>): Promise<boolean> {
  // Slightly before the callers of this check give up.
  return settlesWithin(ask(), probeTimeoutMs - 100).catch(() => false)
}
