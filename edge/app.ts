import { Hono } from 'hono'
import { errorFormOf } from '../shared/api/doors/error-forms.ts'
import { errorResponse, ServiceError, toServiceError } from '../shared/api/errors.ts'
import { requestIdFrom, requestIdHeader } from '../shared/api/wire/request-id.ts'
import { type EdgeRouteName, edgeRoutes, noSuchPath } from '../shared/api/routes.ts'
import { auditRefusals } from './admin/audit-refusals.ts'
import { keyRoutes } from './admin/key-routes.ts'
import { metricsRoute } from './admin/metrics-route.ts'
import { usageRoute } from './admin/usage-route.ts'
import { authenticate, keyFailureWindowMs, maxKeyFailures } from './calls/authenticate.ts'
import { Call } from './calls/call.ts'
import type { EdgeContext, EdgeEnv, EdgeHandler, EdgeMiddleware } from './calls/context.ts'
import { cutRevokedStream } from './calls/cut-revoked-stream.ts'
import { guardAddress } from './calls/guard-address.ts'
import { holdBytes, Receiving } from './calls/hold-bytes.ts'
import { logCalls } from './calls/observe/log-call.ts'
import { runCalls } from './calls/run-call.ts'
import { turnAwayWhen } from './calls/stopping.ts'
import { traceCalls } from './calls/observe/trace-call.ts'
import { allowOrigins } from './cors/allow-origins.ts'
import { refuseOrigins } from './cors/refuse-origins.ts'
import { idempotent } from './idempotency/idempotent.ts'
import { AddressWindow } from './limits/address-window.ts'
import { limitHeaders } from './limits/limit-headers.ts'
import type { Platform } from './platform.ts'
import { countFailures } from './routes/health/count-failures.ts'
import { routeTable } from './routes/route-table.ts'

/** The edge, identical on every platform: request id, log, address guard, key, `Idempotency-Key`, then the route. */
export function createEdgeApp(platform: Platform): Hono<EdgeEnv> {
  const counted = { ...platform, ...countFailures(platform) }
  const run = runCalls(counted)
  const receiving = new Receiving()
  const keyFailures = new AddressWindow(maxKeyFailures, keyFailureWindowMs)
  const app = new Hono<EdgeEnv>()
  app.use(begin(platform))
  if (platform.tracing !== undefined) app.use(traceCalls(platform.tracing, platform))
  app.use(logCalls(platform))
  app.use(allowOrigins(platform))
  app.use(guardAddress(platform))
  app.use(edgeRoutes.mcp.path, refuseOrigins(platform))
  app.onError(answerError)

  for (const name of Object.keys(edgeRoutes) as EdgeRouteName[]) {
    const { method, path, scope } = edgeRoutes[name]
    app.on(method, path, nameRoute(name))
    if (scope === null) continue
    app.on(method, path, turnAwayWhen(platform.stopping))
    if (scope === 'admin') app.on(method, path, auditRefusals(platform))
    app.on(method, path, authenticate(counted, scope, keyFailures))
    if (platform.revocationCutsStreams) app.on(method, path, cutRevokedStream(platform))
  }
  for (const route of routeTable({ ...platform, failures: counted.failures })) {
    const { method, path } = route
    if ('answer' in route) {
      app.on(method, path, route.answer)
      continue
    }
    app.on(method, path, holdBytes(platform, receiving, route.readsWhole))
    if (route.keepsAnswers) app.on(method, path, idempotent(platform), run(route.read))
    else app.on(method, path, run(route.read))
  }
  app.route('/', keyRoutes(platform))
  app.route('/', usageRoute(platform))
  app.route('/', metricsRoute(platform))
  for (const [path, methods] of methodsByPath()) app.all(path, answerOtherMethod(methods))
  app.notFound((c) => answerError(new ServiceError('not_found', noSuchPath), c))
  return app
}

function begin({ now, clientAddress }: Pick<Platform, 'now' | 'clientAddress'>): EdgeMiddleware {
  return async (c, next) => {
    const call = new Call({
      requestId: requestIdFrom(c.req.header(requestIdHeader)),
      arrivedAt: now(),
      address: clientAddress(c),
      clientSignal: () => c.req.raw.signal,
    })
    c.set('call', call)
    await next()
    c.res.headers.set(requestIdHeader, call.requestId)
    const { idHeader } = errorFormOf(c.req.path)
    if (idHeader !== undefined) c.res.headers.set(idHeader, call.requestId)
  }
}

function nameRoute(name: EdgeRouteName): EdgeMiddleware {
  return async (c, next) => {
    c.var.call.route = name
    await next()
  }
}

function answerError(error: unknown, c: EdgeContext): Response {
  const { call } = c.var
  const failure = toServiceError(error)
  call.failure = failure
  const response = errorResponse(failure, call.requestId, errorFormOf(c.req.path).body)
  const limits = limitHeaders(call.standings)
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
