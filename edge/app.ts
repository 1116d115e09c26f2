import { Hono } from 'hono'
import { errorResponse, ServiceError, toServiceError } from '../shared/api/errors.ts'
import { requestIdFrom, requestIdHeader } from '../shared/api/request-id.ts'
import { edgeRoutes, type EdgeRouteName, type RouteName, routes } from '../shared/api/routes.ts'
import { keyRoutes } from './admin/key-routes.ts'
import { usageRoute } from './admin/usage-route.ts'
import { idempotent } from './idempotency/idempotent.ts'
import { authenticate } from './keys/authenticate.ts'
import { cutRevokedStream } from './calls/cut-revoked-stream.ts'
import { guardAddress } from './limits/guard-address.ts'
import { LateMeter } from './limits/late-meter.ts'
import { limitHeaders } from './limits/limit-headers.ts'
import { meteredCalls } from './calls/call.ts'
import { logRequests } from './calls/log-call.ts'
import type { EdgeContext, EdgeEnv, EdgeHandler, EdgeMiddleware, Platform } from './platform.ts'
import { healthRoute } from './routes/health.ts'
import { imageRoute } from './routes/image.ts'
import { imageUrlRoute } from './routes/image-url.ts'
import { textRoute } from './routes/text.ts'

/** The edge, the same on every platform: request id, log, errors, key, then the route with its body limit. */
export function createEdgeApp(platform: Platform): Hono<EdgeEnv> {
  const meter = new LateMeter(platform.meter)
  const metered = meteredCalls(platform, meter)
  const handlers: Record<RouteName, EdgeHandler> = {
    health: healthRoute(platform),
    text: textRoute(platform, metered),
    image: imageRoute(platform, metered),
    imageUrl: imageUrlRoute(platform, metered),
  }
  const app = new Hono<EdgeEnv>()
  app.use(identify(platform))
  app.use(logRequests(platform))
  app.use(guardAddress(platform))
  app.onError(answerError)

  for (const name of Object.keys(edgeRoutes) as EdgeRouteName[]) {
    const { method, path, scope } = edgeRoutes[name]
    app.on(method, path, nameRoute(name))
    if (scope === null) continue
    app.on(method, path, authenticate(platform.keys, scope))
    if (platform.revocationCutsStreams) app.on(method, path, cutRevokedStream(platform))
  }
  for (const name of Object.keys(handlers) as RouteName[]) {
    const { method, path, scope } = routes[name]
    if (scope !== null) app.on(method, path, idempotent(platform))
    app.on(method, path, handlers[name])
  }
  app.route('/', keyRoutes(platform))
  app.route('/', usageRoute({ ...platform, meter }))
  for (const [path, methods] of methodsByPath()) app.all(path, answerOtherMethod(methods))
  app.notFound((c) => answerError(new ServiceError('not_found', 'There is no such path'), c))
  return app
}

function identify(platform: Platform): EdgeMiddleware {
  return async (c, next) => {
    c.set('startedAt', platform.now())
    c.set('requestId', requestIdFrom(c.req.header(requestIdHeader)))
    await next()
    c.res.headers.set(requestIdHeader, c.get('requestId'))
  }
}

function nameRoute(name: EdgeRouteName): EdgeMiddleware {
  return async (c, next) => {
    c.set('route', name)
    await next()
  }
}

function answerError(error: unknown, c: EdgeContext): Response {
  const failure = toServiceError(error)
  c.set('failure', failure)
  const response = errorResponse(failure, c.get('requestId'))
  const limits = limitHeaders(c.get('standings') ?? [])
  for (const name in limits) response.headers.set(name, limits[name]!)
  if (failure.status === 401) response.headers.set('www-authenticate', 'Bearer')
  return response
}

function methodsByPath(): Map<string, readonly string[]> {
  const methods = new Map<string, readonly string[]>()
  for (const { method, path } of Object.values(edgeRoutes)) {
    const implied = method === 'GET' ? ['GET', 'HEAD'] : [method]
    methods.set(path, [...(methods.get(path) ?? []), ...implied])
  }
  return methods
}

function answerOtherMethod(methods: readonly string[]): EdgeHandler {
  const allow = [...methods, 'OPTIONS'].join(', ')
  return (c) => {
    if (c.req.method === 'OPTIONS') return new Response(null, { status: 204, headers: { allow } })
    const message = `This path answers ${methods.join(', ')} only`
    const response = answerError(new ServiceError('method_not_allowed', message), c)
    response.headers.set('allow', allow)
    return response
  }
}
