import { Hono, type Handler } from 'hono'
import { ServiceError } from '../../shared/api/errors.ts'
import { noSuchPath, probeRoutes, routes } from '../../shared/api/routes.ts'
import type { Tracing } from '../../shared/tracing/tracing.ts'
import { metricsAnswer } from '../../shared/node/metrics/metrics-server.ts'
import type { Log } from '../../shared/node/log/log.ts'
import { requireClientCertificate, type ClientListener } from './exchange/client-certificate.ts'
import { enforceDeadline } from './exchange/deadline.ts'
import { mountConversationRoutes } from './routes/conversation-routes.ts'
import type { BackendEnv, RunningExchanges } from './exchange/exchange.ts'
import type { AnswerParts } from './answer/answer-conversation.ts'
import { mountGenerateRoutes } from './routes/generate-routes.ts'
import type { BackendMetrics } from '../metrics/backend-metrics.ts'
import { countExchange } from './exchange/count-exchange.ts'
import { mountProbes, mountStatus, type HealthParts } from './routes/health-route.ts'
import { metricsPath, statusPath } from './operator-paths.ts'
import { logExchange } from './exchange/log-exchange.ts'
import { refusal } from './exchange/refusal.ts'
import { mountMcpRoute } from './mcp/mcp-route.ts'
import { mountModelRoutes, type ServedModel, stateImageTokens } from './routes/models.ts'
import { traceExchange } from './exchange/trace-exchange.ts'
import { refuseWhenClosing, trackExchange } from './exchange/track-exchange.ts'

export interface BackendParts {
  readonly running: RunningExchanges
  readonly log: Log
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number
  /** Milliseconds a request may take unless it states a deadline. */
  readonly deadlineMs: number
  /** Names, one of which a client's certificate must carry. */
  readonly allowedClients: readonly string[]
  /** Called for every accepted client with its certificate and name. */
  readonly onClientCertificate: ClientListener
  readonly health: HealthParts
  readonly metrics: BackendMetrics
  /** Undefined unless a collector is configured. */
  readonly tracing: Tracing | undefined
  readonly generate: AnswerParts
  readonly model: ServedModel
}

/** The backend's HTTP side: the steps of a request, in order. */
export function createBackendApp(parts: BackendParts): Hono<BackendEnv> {
  const app = new Hono<BackendEnv>()

  app.use(trackExchange(parts.running))
  if (parts.tracing !== undefined) {
    const { tracing, now, model } = parts
    app.use(traceExchange({ tracing, now, modelId: model.id }))
  }
  app.use(stateImageTokens(parts.model))
  app.use(logExchange(parts.log, parts.now))
  app.use(countExchange(parts.metrics, parts.log, parts.now))
  app.use(requireClientCertificate(parts.allowedClients, parts.onClientCertificate))
  for (const path of ['/generate/*', '/v1/*', routes.mcp.path])
    app.use(path, refuseWhenClosing(parts.running))
  app.use(enforceDeadline(parts.generate.streaming.after, parts.now, parts.deadlineMs))

  mountProbes(app, parts.health)
  mountStatus(app, parts.health, parts.model)
  app.get(metricsPath, () => metricsAnswer(parts.metrics.registry))
  mountGenerateRoutes(app, parts.generate, parts.model)
  mountConversationRoutes(app, parts.generate, parts.model)
  mountMcpRoute(app, parts.generate, parts.running, parts.model)
  mountModelRoutes(app, parts.model)

  for (const path of [statusPath, metricsPath]) app.all(path, methodNotAllowed('GET, HEAD'))
  for (const { method, path } of Object.values({ ...routes, ...probeRoutes })) {
    app.all(path, methodNotAllowed(method === 'GET' ? 'GET, HEAD' : method))
  }
  app.notFound(() => {
    throw new ServiceError('not_found', noSuchPath)
  })
  app.onError((thrown, c) => {
    const exchange = c.get('exchange')
    return refusal(exchange.noteFailure(thrown), exchange.requestId, c.req.path)
  })
  return app
}

/** Answers requests with a method that the path does not support. */
function methodNotAllowed(allow: string): Handler<BackendEnv> {
  return (c) => {
    const exchange = c.get('exchange')
    const message = `This path answers ${allow} only`
    const error = exchange.noteFailure(new ServiceError('method_not_allowed', message))
    const response = refusal(error, exchange.requestId, c.req.path)
    response.headers.set('allow', allow)
    return response
  }
}
