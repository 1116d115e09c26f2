import { Hono } from 'hono'
import { errorResponse, ServiceError, toServiceError } from '../shared/api/errors.ts'
import { requestIdFrom, requestIdHeader } from '../shared/api/request-id.ts'
import { type RouteName, routes } from '../shared/api/routes.ts'
import { authenticate } from './keys/authenticate.ts'
import { logRequests } from './log/log-requests.ts'
import type { EdgeContext, EdgeEnv, EdgeHandler, EdgeMiddleware, Platform } from './platform.ts'
import { healthRoute } from './routes/health.ts'
import { imageRoute } from './routes/image.ts'
import { imageUrlRoute } from './routes/image-url.ts'
import { textRoute } from './routes/text.ts'

/** The edge, the same on every platform: request id, log, errors, key, then the route with its body limit. */
export function createEdgeApp(platform: Platform): Hono<EdgeEnv> {
  const handlers: Record<RouteName, EdgeHandler> = {
    health: healthRoute(platform),
    text: textRoute(platform),
    image: imageRoute(platform),
    imageUrl: imageUrlRoute(platform),
  }
  const app = new Hono<EdgeEnv>()
  app.use(identify(platform))
  app.use(logRequests(platform))
  app.onError(answerError)

  for (const name of Object.keys(handlers) as RouteName[]) {
    const { method, path, needsKey } = routes[name]
    if (needsKey) app.on(method, path, authenticate(platform.keys))
    app.on(method, path, handlers[name])
    app.all(path, answerOtherMethod(method))
  }
  app.notFound((c) => answerError(new ServiceError('not_found', 'There is no such path'), c))
  return app
}

function identify(platform: Platform): EdgeMiddleware {
  return async (c, next) => {
    c.set('startedAt', platform.now())
    c.set('requestId', requestIdFrom(c.req.header(requestIdHeader)))
    await next()
    c.res.headers.set(requestIdHeader, c.var.requestId)
  }
}

function answerError(error: unknown, c: EdgeContext): Response {
  const failure = toServiceError(error)
  c.set('failure', failure)
  const response = errorResponse(failure, c.var.requestId)
  if (failure.status === 401) response.headers.set('www-authenticate', 'Bearer')
  return response
}

function answerOtherMethod(method: 'GET' | 'POST'): EdgeHandler {
  const allow = method === 'GET' ? 'GET, HEAD, OPTIONS' : `${method}, OPTIONS`
  return (c) => {
    if (c.req.method === 'OPTIONS') return new Response(null, { status: 204, headers: { allow } })
    const message = `This path answers ${method} only`
    const response = answerError(new ServiceError('method_not_allowed', message), c)
    response.headers.set('allow', allow)
    return response
  }
}
