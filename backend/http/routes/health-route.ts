import type { Hono } from 'hono'
import { jsonAnswer } from '../../../shared/api/wire/json-answer.ts'
import {
  aliveAnswer,
  readinessAnswer,
  type ReadinessChecks,
} from '../../../shared/api/readiness.ts'
import { probeRoutes, routes } from '../../../shared/api/routes.ts'
import type { CertificateWatch } from '../../../shared/node/certificates/certificate-watch.ts'
import type { ProgressAmount } from '../../../shared/progress/progress.ts'
import type { LayersByPlace } from '../../device/choose-provider.ts'
import type { EngineSnapshot } from '../../engine/job.ts'
import type { StartUp } from '../../inference/supervisor/start-progress.ts'
import type { Serving } from '../../serving/serving.ts'
import { modelView, type ServedModel } from './models.ts'
import type { BackendEnv } from '../exchange/exchange.ts'
import { statusPath } from '../operator-paths.ts'

interface ProviderView {
  readonly name: string
  readonly reason: string
  /** The decoder's layers by place. */
  readonly layers: LayersByPlace
}

/** What probes ask. */
export interface ProbeParts {
  /** Whether a request would be served now, or why not. */
  readonly readiness: Serving['readiness']
  readonly serving: Pick<Serving, 'isLoaded' | 'isProven'> & {
    startUp(): StartUp & { readonly downloaded?: ProgressAmount | undefined }
    snapshot(): Pick<EngineSnapshot, 'queued' | 'queueLimit' | 'queuedWork' | 'queueWorkLimit'>
  }
  readonly certificates: Pick<CertificateWatch, 'isValid'>
}

/** What operators ask as well. */
export interface HealthParts extends ProbeParts {
  readonly serving: Pick<
    Serving,
    'isLoaded' | 'isProven' | 'startUp' | 'snapshot' | 'memory' | 'engines'
  >
  /** What runs the decoder, and why; undefined with engines elsewhere. */
  readonly provider?: ProviderView | undefined
  readonly certificates: Pick<CertificateWatch, 'isValid' | 'report'>
}

export function mountProbes(app: Hono<BackendEnv>, parts: ProbeParts): void {
  app.get(probeRoutes.livez.path, aliveAnswer)
  app.get(probeRoutes.readyz.path, () => readyzAnswer(parts))
  app.get(routes.health.path, () => {
    const state = parts.readiness()
    if (state === 'ready') return jsonAnswer({ status: 'healthy' })
    return jsonAnswer({ status: 'unavailable', reason: state }, 503)
  })
}

export function mountStatus(app: Hono<BackendEnv>, parts: HealthParts, model: ServedModel): void {
  const { readiness, serving, provider, certificates } = parts
  app.get(statusPath, () =>
    jsonAnswer({
      inference: readiness(),
      model: modelView(model, model.id),
      ...(provider !== undefined && { provider }),
      startup: startUpOf(parts),
      modelMemory: serving.memory(),
      engine: serving.snapshot(),
      ...(serving.engines !== undefined && { engines: serving.engines() }),
      certificates: certificates.report(),
    }),
  )
}

/** Whether requests may be sent here: each check by its name, and the progress of the start. */
export function readyzAnswer(parts: ProbeParts): Response {
  return readinessAnswer(checksOf(parts), { startup: startUpOf(parts) })
}

/** What has to hold before requests may be sent here. */
function checksOf(parts: ProbeParts): ReadinessChecks {
  const { readiness, serving, certificates } = parts
  const { queued, queueLimit, queuedWork, queueWorkLimit } = serving.snapshot()
  return {
    model_loaded: serving.isLoaded(),
    test_generation: serving.isProven(),
    queue: queued < queueLimit && queuedWork < queueWorkLimit,
    certificates: certificates.isValid(),
    not_draining: readiness() !== 'shutting_down',
  }
}

function startUpOf({ serving }: ProbeParts) {
  const { starts, seconds, downloaded, converted, loaded } = serving.startUp()
  return {
    engine_starts: starts,
    seconds_since_start: seconds,
    downloaded_bytes: downloaded?.doneBytes ?? 0,
    bytes_to_download: downloaded?.totalBytes ?? 0,
    converted_bytes: converted?.doneBytes ?? 0,
    bytes_to_convert: converted?.totalBytes ?? 0,
    loaded_bytes: loaded?.doneBytes ?? 0,
    bytes_to_load: loaded?.totalBytes ?? 0,
  }
}
