import type { Meter } from '../limits/meter.ts'

/** The Durable Object namespace of the meters. */
export interface MeterNamespace {
  getByName(name: string): Meter
}

/** One object per key, named after it. Each call uses a new handle, because an old one stays broken after a failure. */
export function remoteMeter(namespace: MeterNamespace): Meter {
  const meterOf = (keyId: string) => namespace.getByName(keyId)
  return {
    reserve: (keyId, request) => meterOf(keyId).reserve(keyId, request),
    settle: (keyId, settlement) => meterOf(keyId).settle(keyId, settlement),
    check: (keyId) => meterOf(keyId).check(keyId),
    usage: (keyId, range) => meterOf(keyId).usage(keyId, range),
  }
}
