import type { Hono } from 'hono'
import { jsonAnswer } from '../../../shared/api/wire/json-answer.ts'
import {
  aliveAnswer,
  readinessAnswer,
  type ReadinessChecks,
} from '../../../shared/api/readiness.ts'
import { probeRoutes, routes } from '../../../shared/api/routes.ts'
import type { EngineView } from '../../cluster/health/engine-entry.ts'
import type { LayersByPlace } from '../../device/choose-provider.ts'
import type { EngineSnapshot } from '../../engine/job.ts'
import type { CertificateStatus } from '../../../shared/node/certificates/certificate-watch.ts'
import type { MemoryCheck } from '../../memory/memory-check.ts'
import type { StartUp } from '../../inference/supervisor.ts'
import { modelView, type ServedModel } from './models.ts'
import type { BackendEnv } from '../exchange/exchange.ts'
import { statusPath } from '../operator-paths.ts'

/** Whether a request would be served now, or why not. */
export type Readiness = 'ready' | 'model_loading' | 'engine_restarting' | 'shutting_down'

interface ProviderView {
  readonly name: string
  readonly reason: string
  /** The decoder's layers by place. */
  readonly layers: LayersByPlace
}

export interface HealthParts {
  readonly readiness: () => Readiness
  readonly isLoaded: () => boolean
  /** Whether the engine that runs now has described a picture. */
  readonly isProven: () => boolean
  readonly startUp: () => StartUp
  readonly snapshot: () => EngineSnapshot
  /** Whether the model fits, as found before it was loaded; undefined with engines elsewhere, and until it is known. */
  readonly memory: () => MemoryCheck | undefined
  /** What runs the decoder, and why; undefined with engines elsewhere. */
  readonly provider?: ProviderView | undefined
  /** Engines elsewhere; undefined with the one of this server. */
  readonly engines?: (() => readonly EngineView[]) | undefined
  /** Whether the server's own certificate, and an authority for its clients', is valid now. */
  readonly certificatesAreValid: () => boolean
  readonly certificates: () => readonly CertificateStatus[]
}

export function mountHealthRoutes(
  app: Hono<BackendEnv>,
  parts: HealthParts,
  model: ServedModel,
): void {
  const { readiness, snapshot, memory, provider, engines, certificates } = parts
  app.get(probeRoutes.livez.path, aliveAnswer)
  app.get(probeRoutes.readyz.path, () => readyzAnswer(parts))
  app.get(routes.health.path, () => {
    const state = readiness()
    if (state === 'ready') return jsonAnswer({ status: 'healthy' })
    return jsonAnswer({ status: 'unavailable', reason: state }, 503)
  })

  app.get(statusPath, () =>
    jsonAnswer({
      inference: readiness(),
      model: modelView(model, model.id),
      ...(provider !== undefined && { provider }),
      startup: startUpOf(parts),
      modelMemory: memory(),
      engine: snapshot(),
      ...(engines !== undefined && { engines: engines() }),
      certificates: certificates(),
    }),
  )
}

/** Whether requests may be sent here: each check by its name, and how far the start is. */
export function readyzAnswer(parts: HealthParts): Response {
  return readinessAnswer(checksOf(parts), { startup: startUpOf(parts) })
}

/** What has to hold before requests may be sent here. */
function checksOf(parts: HealthParts): ReadinessChecks {
  const { queued, queueLimit, queuedWork, queueWorkLimit } = parts.snapshot()
  return {
    model_loaded: parts.isLoaded(),
    test_generation: parts.isProven(),
    queue: queued < queueLimit && queuedWork < queueWorkLimit,
    certificates: parts.certificatesAreValid(),
    not_draining: parts.readiness() !== 'shutting_down',
  }
}

function startUpOf(parts: HealthParts) {
  const { starts, seconds, converted, loaded } = parts.startUp()
  return {
    engine_starts: starts,
    seconds_since_start: seconds,
    converted_bytes: converted?.doneBytes ?? 0,
    bytes_to_convert: converted?.totalBytes ?? 0,
    loaded_bytes: loaded?.doneBytes ?? 0,
    bytes_to_load: loaded?.totalBytes ?? 0,
  }
}
