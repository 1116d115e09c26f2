import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { errorResponse, ServiceError } from '../../../shared/api/errors.ts'
import { noSuchPath } from '../../../shared/api/routes.ts'
import { requestIdFrom } from '../../../shared/api/wire/request-id.ts'
import type { TlsIdentity } from '../../../shared/node/certificates/watch-identity.ts'
import { drainUpload } from './drain-upload.ts'
import type { BackendEnv, RunningExchanges } from '../exchange/exchange.ts'
import { unlessAborted } from '../../../shared/async/unless-aborted.ts'
import { settlesWithin } from '../../../shared/async/within-time.ts'
import { closeAfterAnswers, untilQuiet } from '../../../shared/node/process/until-quiet.ts'

/** Milliseconds for the TLS handshake, and for the head of a request: neither needs more than a few round trips. */
const handshakeTimeoutMs = 10_000
const headersTimeoutMs = 10_000

/** Milliseconds for a whole request to arrive: the largest upload at 3 Mbit/s. */
const requestTimeoutMs = 300_000

/** Milliseconds an unused connection stays open: longer than our own clients keep one, so that they close first. */
const keepAliveTimeoutMs = 65_000

/** Milliseconds that unfinished answers get to send their last event. */
const goodbyeMs = 500

const minVersion = 'TLSv1.2'

/** An HTTPS server that accepts only clients with a certificate from our own authority. Not listening yet. */
export function createBackendServer(app: Hono<BackendEnv>, tls: TlsIdentity): Server {
  const answer = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
    // Only reached by a target or Host header that does not form a URL.
    errorHandler: () =>
      errorResponse(new ServiceError('not_found', noSuchPath), requestIdFrom(undefined)),
  })
  const options = {
    ...tls,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion,
    handshakeTimeout: handshakeTimeoutMs,
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
  } as const
  return createServer(options, (incoming, outgoing) => {
    drainUpload(incoming, outgoing)
    void answer(incoming, outgoing)
  })
}

/**
 * New connections get the new certificate and are checked against the new authority; answers in progress are not
 * affected.
 */
export function renewIdentity(server: Server, tls: TlsIdentity): void {
  server.setSecureContext({ ...tls, minVersion })
  server.closeIdleConnections()
}

/** @returns the port, chosen by the system when `port` is 0. Rejects with a message for the operator */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'the port is taken' : cause.message
      reject(new Error(`Cannot listen on ${host}:${port}: ${why}`, { cause }))
    }
    server.once('error', fail)
    server.listen(port, host, () => {
      server.off('error', fail)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

export interface Drain {
  /** Milliseconds that answers in progress may still take. */
  readonly drainMs: number
  /** Aborted when they have to end at once. */
  readonly hurry: AbortSignal
}

/**
 * Lets running requests finish, ends those that take too long with `shutting_down`, and closes what is left. The port
 * stays open until then, so that new requests get `shutting_down` too and can go elsewhere.
 */
export async function stopServer(
  server: Server,
  running: RunningExchanges,
  { drainMs, hurry }: Drain,
): Promise<void> {
  const idle = running.close()
  closeAfterAnswers(server)
  const isIdle = await unlessAborted(settlesWithin(idle, drainMs), hurry).catch(() => false)
  if (!isIdle) {
    running.abortAll(new ServiceError('shutting_down', 'The server is stopping'))
    await settlesWithin(idle, goodbyeMs)
  } else {
    await untilQuiet(server, hurry)
  }
  // Closes those that are idle; a request that came at the last moment gets its answer.
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  if (!hurry.aborted) await settlesWithin(closed, goodbyeMs)
  server.closeAllConnections()
}
