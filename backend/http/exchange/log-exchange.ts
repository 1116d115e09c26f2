import type { HttpBindings } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'
import { errorKinds } from '../../../shared/api/errors.ts'
import { probeRoutes, routes } from '../../../shared/api/routes.ts'
import { forwardHeaders } from '../../../shared/forward/headers.ts'
import { levelOfAnswer } from '../../../shared/log/answer-level.ts'
import type { RequestLine } from '../../../shared/log/request-line.ts'
import type { Log } from '../../../shared/node/log/log.ts'
import type { BackendEnv, Exchange } from './exchange.ts'
import { metricsPath, statusPath } from '../operator-paths.ts'

/** Paths that are logged as they are; any other path could contain anything. */
const knownPaths: ReadonlySet<string> = new Set([
  statusPath,
  metricsPath,
  ...Object.values({ ...routes, ...probeRoutes }).map((route) => route.path),
])

/** Paths that are asked every second or so. */
const probePaths: ReadonlySet<string | null> = new Set([
  routes.health.path,
  ...Object.values(probeRoutes).map((route) => route.path),
])

/** @returns null for a path that is not in the table */
export function knownPathOf(path: string): string | null {
  if (knownPaths.has(path)) return path
  return path.startsWith(`${routes.models.path}/`) ? routes.model.path : null
}

/** Ids of API keys as the edge makes them. */
const keyIdPattern = /^[\w.-]{1,64}$/

export function isProbePath(route: string | null): boolean {
  return probePaths.has(route)
}

/** Writes one line per request, when its answer is sent or its client is gone. */
export function logExchange(log: Log, now: () => number): MiddlewareHandler<BackendEnv> {
  return async function logLine(c, next) {
    const exchange = c.get('exchange')
    const startedAt = now()
    const route = knownPathOf(c.req.path)
    const { remoteAddress = null } = c.env.incoming.socket
    const keyId = c.req.header(forwardHeaders.keyId)
    if (keyId !== undefined && keyIdPattern.test(keyId)) exchange.facts.keyId = keyId

    exchange.onEnd(() => {
      const status = statusOf(c.env.outgoing)
      const line: RequestLine = {
        level: levelOf(exchange),
        message: 'request',
        request_id: exchange.requestId,
        route,
        key_id: exchange.facts.keyId ?? null,
        address: remoteAddress,
        status,
        ms: Math.round(10 * (now() - startedAt)) / 10,
      }
      const { level, message, ...fields } = line
      const more = { method: c.req.method, ...fieldsOf(exchange) }
      log[isProbe(line) ? 'debug' : level]({ ...fields, ...more }, message)
    })
    await next()
  }
}

/** The status that was sent; that of a client that left, where none was. */
export function statusOf({ headersSent, statusCode }: HttpBindings['outgoing']): number {
  return headersSent ? statusCode : errorKinds.cancelled.status
}

function levelOf({ facts }: Exchange): 'info' | 'error' {
  const { errorCode: code } = facts
  return code === undefined ? 'info' : levelOfAnswer(errorKinds[code].status, code)
}

/** Probes would bury the rest. */
function isProbe({ route, level }: RequestLine): boolean {
  return isProbePath(route) && level === 'info'
}

function fieldsOf({ facts }: Exchange) {
  return {
    client_name: facts.clientName,
    code: facts.errorCode,
    request_bytes: facts.bytesIn,
    images: facts.images,
    stream: facts.stream,
    finish_reason: facts.finishReasons?.[0],
    ...facts.usage,
    ...facts.timings,
    cause: causeOf(facts.cause),
  }
}

/** Name and location of the error. Its message is left out where it may quote what the client sent. */
function causeOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined
  const place = cause.stack?.split('\n').find((line) => line.trimStart().startsWith('at '))
  return [cause.name, place?.trim()].filter(Boolean).join(' ')
}
