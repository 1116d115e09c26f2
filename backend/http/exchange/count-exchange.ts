import type { MiddlewareHandler } from 'hono'
import type { Log } from '../../../shared/node/log/log.ts'
import type { BackendMetrics } from '../../metrics/backend-metrics.ts'
import type { BackendEnv } from './exchange.ts'
import { knownPathOf, statusOf } from './log-exchange.ts'

/**
 * Counts each request, when its answer is sent or its client is gone. A failure to count is logged and does no harm.
 */
export function countExchange(
  { count }: Pick<BackendMetrics, 'count'>,
  log: Pick<Log, 'error'>,
  now: () => number,
): MiddlewareHandler<BackendEnv> {
  return async function countIt(c, next) {
    const exchange = c.get('exchange')
    const startedAt = now()
    exchange.onEnd(() => {
      const { errorCode, images = 0, choices = 1, usage, timings } = exchange.facts
      const counted = {
        route: knownPathOf(c.req.path),
        status: statusOf(c.env.outgoing),
        errorCode,
        ms: now() - startedAt,
        images,
        choices,
        usage,
        timings,
      }
      try {
        count(counted)
      } catch (cause) {
        log.error({ request_id: exchange.requestId, detail: String(cause) }, 'request not counted')
      }
    })
    await next()
  }
}
