import type { KeyMeter } from './key-meter.ts'
import type { Meter } from './meter.ts'

/** A meter in this process. @param wallClock milliseconds since 1970 */
export function localMeter(meter: KeyMeter, wallClock: () => number): Meter {
  return {
    reserve: async (keyId, request) => meter.reserve(keyId, request, wallClock()),
    settle: async (keyId, settlement) => meter.settle(keyId, settlement),
    check: async () => meter.check(wallClock()),
    usage: async (keyId, range) => meter.usage(keyId, range),
  }
}
