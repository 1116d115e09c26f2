import { setImmediate as immediate } from 'node:timers/promises'
import type { Meter } from '../limits/meter.ts'

/**
 * The HTTP client writes a request at the end of the event loop's turn. A call that began ahead of its reservation is on
 * its way first, so that the backend works while the database does, instead of after it.
 */
export function afterSending(meter: Meter): Meter {
  return {
    async reserve(keyId, request) {
      await immediate()
      return meter.reserve(keyId, request)
    },
    settle: (keyId, settlement) => meter.settle(keyId, settlement),
    usage: (keyId, range) => meter.usage(keyId, range),
  }
}
