import type { MiddlewareHandler } from 'hono'
import type { BackendMetrics } from '../metrics/backend-metrics.ts'
import type { BackendEnv } from './exchange.ts'
import { knownPathOf, statusOf } from './log-exchange.ts'

/** Counts each request, when its answer is sent or its client is gone. */
export function countExchange(
  { count }: Pick<BackendMetrics, 'count'>,
  now: () => number,
): MiddlewareHandler<BackendEnv> {
  return async function countIt(c, next) {
    const exchange = c.get('exchange')
    const startedAt = now()
    exchange.onEnd(() => {
      const { errorCode, images = 0, choices = 1, usage, timings } = exchange.facts
      count({
        route: knownPathOf(c.req.path),
        status: statusOf(c.env.outgoing),
        errorCode,
        ms: now() - startedAt,
        images,
        choices,
        usage,
        timings,
      })
    })
    await next()
  }
}
