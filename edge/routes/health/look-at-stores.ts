import { settlesWithin } from '../../../shared/async/within-time.ts'
import { rootKey } from '../../keys/key-record.ts'
import type { KeyStore } from '../../keys/key-store.ts'
import type { Meter } from '../../limits/meter.ts'
import { utcDayOf } from '../../limits/utc-day.ts'
import { probeTimeoutMs } from './ask-backend.ts'

export interface StoreParts {
  readonly keyStore: Pick<KeyStore, 'checkSecret'>
  readonly meter: Pick<Meter, 'usage'>
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
}

/** Which stores answer a request that changes nothing. On a Worker the root key's meter serves as a sample of all. */
export async function lookAtStores({ keyStore, meter, wallClock }: StoreParts) {
  const today = utcDayOf(wallClock())
  const [keys, limits] = await Promise.all([
    answers(async () => keyStore.checkSecret()),
    answers(() => meter.usage(rootKey.id, { from: today, to: today })),
  ])
  return { keys, limits }
}

async function answers(ask: () => Promise<unknown>): Promise<boolean> {
  // Slightly before the callers of this check give up.
  return settlesWithin(ask(), probeTimeoutMs - 100).catch(() => false)
}
