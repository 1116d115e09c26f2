import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Registry } from 'prom-client'
import { ConnectionShare } from '../connections/connection-share.ts'
import { shareConnections } from '../connections/share-connections.ts'
import { ConfigError } from '../settings/environment.ts'

/** Milliseconds in which the head of a request must have come. */
const headersTimeoutMs = 5_000

/** Milliseconds between two checks for connections that send nothing: probes must not wait for them. */
const checkMs = 1_000

/** Scrapers and probes are few. */
const maxConnections = 64

/** What a path answers. */
export type PlainAnswer = () => Response | Promise<Response>

/** All metrics, as Prometheus reads them. */
export async function metricsAnswer(registry: Registry): Promise<Response> {
  const headers = { 'content-type': registry.contentType }
  return new Response(await registry.metrics(), { headers })
}

/**
 * A plain listener beside the service, for probes and scrapers on the same machine or network: no TLS, no keys, nothing
 * but `answers` by their paths.
 * @returns with the port, chosen by the system when `port` is 0. Rejects with a text for the operator
 */
export function listenForMetrics(
  { port, host }: { readonly port: number; readonly host: string },
  answers: ReadonlyMap<string, PlainAnswer>,
): Promise<{ readonly server: Server; readonly port: number }> {
  const listener = getRequestListener(
    async ({ method, url }) => {
      const answer = answers.get(new URL(url).pathname)
      if (answer === undefined) return new Response(null, { status: 404 })
      if (method !== 'GET' && method !== 'HEAD') return new Response(null, { status: 405 })
      return answer()
    },
    { overrideGlobalObjects: false, errorHandler: () => new Response(null, { status: 400 }) },
  )
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: headersTimeoutMs,
      connectionsCheckingInterval: checkMs,
    },
    (incoming, outgoing) => void listener(incoming, outgoing),
  )
  const share = new ConnectionShare<Socket>(maxConnections)
  // Probes get in however many connections others hold. Who scrapes is the operator, who sees it there.
  shareConnections(server, {
    share,
    standingOf: () => 'many',
    log: () => undefined,
    now: () => performance.now(),
  })
  // It keeps no process alive.
  server.unref()
  return new Promise((resolve, reject) => {
    server.once('error', ({ message }) => {
      reject(new ConfigError(`Cannot listen for metrics on ${host}:${port}: ${message}`))
    })
    server.listen(port, host, () =>
      resolve({ server, port: (server.address() as AddressInfo).port }),
    )
  })
}
