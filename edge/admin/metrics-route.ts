import { Hono } from 'hono'
import { ServiceError } from '../../shared/api/errors.ts'
import { adminRoutes } from '../../shared/api/routes.ts'
import type { EdgeEnv } from '../calls/context.ts'

export interface MetricsParts {
  /** All metrics of this process, as Prometheus reads them; undefined where the platform has none for the whole service. */
  readonly metrics: (() => Promise<Response>) | undefined
}

/** `GET /metrics`, for administrators. */
export function metricsRoute({ metrics }: MetricsParts): Hono<EdgeEnv> {
  return new Hono<EdgeEnv>().get(adminRoutes.metrics.path, () => {
    if (metrics !== undefined) return metrics()
    const message =
      'A Worker runs as many isolates, none of which has the counts of all: see the dataset bound as METRICS, or the log lines'
    throw new ServiceError('not_found', message)
  })
}
