import { jsonAnswer } from '../../../shared/api/wire/json-answer.ts'
import { aliveAnswer, readinessAnswer } from '../../../shared/api/readiness.ts'
import type { CallBackend } from '../../backends/exchange.ts'
import type { EdgeHandler } from '../../calls/context.ts'
import type { Stopping } from '../../calls/stopping.ts'
import { askBackend, unreachable } from './ask-backend.ts'
import type { CallFailures } from './count-failures.ts'
import { lookAtStores, type StoreParts } from './look-at-stores.ts'
import { oneLook } from './one-look.ts'

export interface HealthParts extends StoreParts {
  readonly backend: CallBackend
  /** Of all other calls. */
  readonly failures: CallFailures
  readonly stopping: Stopping
  /** Whether the certificate that backends are called with is valid; undefined where the platform does not show it. */
  readonly certificateIsValid: (() => boolean) | undefined
  /** Milliseconds. */
  readonly now: () => number
}

/**
 * Milliseconds for which the state of the backends is reused: less than the time between two probes, so that each sees what
 * a request would meet now, and enough to keep a flood of probes from the backends.
 */
const backendCacheMs = 50

/** That of the stores: to find out whether they can be written to, the check writes. */
const storesCacheMs = 1_000

const stopped = { status: 'unavailable', reason: 'shutting_down' } as const

/** Handlers of the three probes. None needs a key, so their checks are shared by all who ask at nearly the same time. */
export function probeHandlers(
  parts: HealthParts,
): Record<'health' | 'livez' | 'readyz', EdgeHandler> {
  const { stopping, now, certificateIsValid, failures } = parts
  const ask = (requestId: string) => askBackend(parts.backend, requestId)
  const health = oneLook(ask, {
    now,
    version: () => failures.ofBackends.count,
    cacheMs: backendCacheMs,
  })
  const stores = oneLook(() => lookAtStores(parts), {
    now,
    version: () => failures.ofStores.count,
    cacheMs: storesCacheMs,
  })
  return {
    livez: () => aliveAnswer(),
    async health(c) {
      const seen = stopping.begun ? stopped : await health(c.var.call.requestId)
      return jsonAnswer(seen ?? unreachable, seen?.status === 'healthy' ? 200 : 503)
    },
    async readyz(c) {
      const [backend, { keys, limits } = { keys: false, limits: false }] = await Promise.all([
        health(c.var.call.requestId),
        stores(),
      ])
      return readinessAnswer({
        backend: backend?.status === 'healthy',
        keys,
        limits,
        ...(certificateIsValid !== undefined && { certificate: certificateIsValid() }),
        not_draining: !stopping.begun,
      })
    },
  }
}
