import type { Hono } from 'hono'
import { jsonAnswer } from '../../shared/api/json-answer.ts'
import { routes } from '../../shared/api/routes.ts'
import type { EngineSnapshot } from '../engine/job.ts'
import type { CertificateStatus } from '../../shared/node/certificates/certificate-watch.ts'
import type { BackendEnv } from './exchange.ts'

/** Whether a request would be served now, or why not. */
export type Readiness = 'ready' | 'model_loading' | 'engine_restarting' | 'shutting_down'

export interface HealthParts {
  readonly readiness: () => Readiness
  readonly snapshot: () => EngineSnapshot
  readonly certificates: () => readonly CertificateStatus[]
}

/** Path of the operators' view; it is not part of the public API. */
export const statusPath = '/status'

export function mountHealthRoutes(
  app: Hono<BackendEnv>,
  { readiness, snapshot, certificates }: HealthParts,
): void {
  app.get(routes.health.path, () => {
    const state = readiness()
    if (state === 'ready') return jsonAnswer({ status: 'healthy' })
    return jsonAnswer({ status: 'unavailable', reason: state }, 503)
  })

  app.get(statusPath, () =>
    jsonAnswer({ inference: readiness(), engine: snapshot(), certificates: certificates() }),
  )
}
