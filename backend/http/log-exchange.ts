import type { MiddlewareHandler } from 'hono'
import { errorKinds } from '../../shared/api/errors.ts'
import { routes } from '../../shared/api/routes.ts'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import type { Log } from '../../shared/node/log.ts'
import type { BackendEnv, Exchange } from './exchange.ts'
import { statusPath } from './health-route.ts'

/** Paths that are logged as they are; all others could hold anything. */
const knownPaths: ReadonlySet<string> = new Set([
  statusPath,
  ...Object.values(routes).map((route) => route.path),
])

/** Ids of API keys as the edge makes them. */
const keyIdPattern = /^[\w.-]{1,64}$/

/** Writes one line for each request, when its answer is sent or its client is gone. */
export function logExchange(log: Log, now: () => number): MiddlewareHandler<BackendEnv> {
  return async function logLine(c, next) {
    const exchange = c.get('exchange')
    const startedAt = now()
    const path = knownPaths.has(c.req.path) ? c.req.path : 'unknown'
    const keyId = c.req.header(forwardHeaders.keyId)
    if (keyId !== undefined && keyIdPattern.test(keyId)) exchange.facts.keyId = keyId

    exchange.onEnd(() => {
      const { outgoing } = c.env
      const status = outgoing.headersSent ? outgoing.statusCode : errorKinds.cancelled.status
      const line = { method: c.req.method, route: path, status, ...lineOf(exchange) }
      log[levelOf(exchange, path)](
        { ...line, elapsed_ms: Math.round(now() - startedAt) },
        'request',
      )
    })
    await next()
  }
}

/** Probes come every second or so and would bury the rest. */
function levelOf({ facts }: Exchange, path: string): 'debug' | 'info' | 'error' {
  if (facts.errorCode !== undefined && errorKinds[facts.errorCode].status >= 500) return 'error'
  return path === routes.health.path ? 'debug' : 'info'
}

function lineOf({ requestId, facts }: Exchange): Record<string, unknown> {
  return {
    request_id: requestId,
    client: facts.clientName,
    key_id: facts.keyId,
    code: facts.errorCode,
    bytes_in: facts.bytesIn,
    images: facts.images,
    stream: facts.stream,
    finish_reason: facts.finishReason,
    ...facts.usage,
    ...facts.timings,
    cause: causeOf(facts.cause),
  }
}

/** Name and place of what went wrong. Its message stays out where it may quote what the client sent. */
function causeOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined
  const place = cause.stack?.split('\n').find((line) => line.trimStart().startsWith('at '))
  return [cause.name, place?.trim()].filter(Boolean).join(' ')
}
