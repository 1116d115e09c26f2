import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Hono } from 'hono'
import { adminRoutes, probeRoutes } from '../../shared/api/routes.ts'
import { ConnectionShare } from '../../shared/node/connections/connection-share.ts'
import { shareConnections } from '../../shared/node/connections/share-connections.ts'
import { addConnectionMetrics } from '../../shared/node/metrics/connection-metrics.ts'
import { CertificateWatch } from '../../shared/node/certificates/certificate-watch.ts'
import {
  listenForMetrics,
  metricsAnswer,
  type PlainAnswer,
} from '../../shared/node/metrics/metrics-server.ts'
import { readIdentity } from '../../shared/node/certificates/read-identity.ts'
import { watchIdentity } from '../../shared/node/certificates/watch-identity.ts'
import { exitAfter, sayError } from '../../shared/node/process/end-process.ts'
import { ConfigError } from '../../shared/node/settings/environment.ts'
import { createLog, lineWriter, type Log, openStandardOutput } from '../../shared/node/log/log.ts'
import { openTracing } from '../../shared/node/open-tracing.ts'
import { openFilesLimit } from '../../shared/node/process/open-files.ts'
import { isInTerminal } from '../../shared/node/process/terminal.ts'
import { closeAfterAnswers, untilQuiet } from '../../shared/node/process/until-quiet.ts'
import { errorText } from '../../shared/log/error-text.ts'
import { misspelt } from '../../shared/settings/misspelt.ts'
import { createEdgeApp } from '../app.ts'
import type { EdgeEnv } from '../calls/context.ts'
import { BackendClient } from './backend-client.ts'
import { peerStanding } from './client-address.ts'
import { edgeSettingNames, type EdgeConfig, parseEdgeConfig } from './config.ts'
import { connectionLimit } from './connection-limit.ts'
import { createPlatform, type NodeParts } from './create-platform.ts'
import { createHttpServer } from './http-server.ts'
import { createEdgeMetrics, type EdgeMetrics } from './metrics/edge-metrics.ts'
import { RunningCalls } from './running-calls.ts'

/** Milliseconds allowed for sending the last bytes of answers. */
const lastBytesMs = 300

async function start(): Promise<void> {
  const config = parseEdgeConfig(process.env)
  const maxConnections = connectionLimit(openFilesLimit())
  const sink = openStandardOutput()
  const logger = createLog(config.logLevel, sink)
  // npm start has already warned about it.
  const slips = process.connected ? [] : misspelt(Object.keys(process.env), edgeSettingNames)
  for (const slip of slips) logger.warn(slip, 'a variable that nothing reads')
  const { look, ...backends } = await openClient(config, logger, maxConnections)
  const running = new RunningCalls()
  const log = lineWriter(logger)
  const tracing = await openTracing(config.tracing, log)
  const share = new ConnectionShare<Socket>(maxConnections)
  const metrics = createEdgeMetrics(tracing?.counts)
  addConnectionMetrics(metrics.registry, 'describe_edge', () => share.counts)
  const parts = { config, ...backends, running, log, metrics, tracing }
  const app = createEdgeApp(createPlatform(parts))
  await serveMetrics(config, app, metrics, logger)
  const server = openServer(app, parts, share)
  server.once('error', (error: NodeJS.ErrnoException) => {
    const taken = error.code === 'EADDRINUSE'
    stopWith(taken ? `Port ${config.port} on ${config.host} is already in use` : error.message)
  })
  const end = async () => {
    logger.info({ drain_ms: config.drainMs }, 'stopping')
    closeAfterAnswers(server)
    if (await running.drain(config.drainMs)) await untilQuiet(server)
    await Promise.all([close(server), tracing?.close()])
    await exitAfter(sink, 0)
  }
  // The first signal lets running requests finish; the second ends everything at once.
  const stop = () => void (running.begun ? exitAfter(sink, 1) : end())
  server.listen(config.port, config.host, () => {
    const { port } = server.address() as AddressInfo
    logger.info({ host: config.host, port }, 'edge listening')
    process.send?.({ type: 'ready', port })
    // The launcher is gone, however it ended.
    process.once('disconnect', () => void (running.begun || stop()))
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  process.on('SIGHUP', isInTerminal() ? stop : look)
}

/** The plain listener for probes and scrapers of this machine, if one is configured. */
async function serveMetrics(
  { metrics: { port, host } }: EdgeConfig,
  app: Hono<EdgeEnv>,
  { registry }: EdgeMetrics,
  logger: Log,
): Promise<void> {
  if (port === undefined) return
  const probes = Object.values(probeRoutes).map(
    ({ path }) => [path, async () => app.request(path, {}, {})] as const,
  )
  const answers = new Map<string, PlainAnswer>([
    [adminRoutes.metrics.path, () => metricsAnswer(registry)],
    ...probes,
  ])
  const listening = await listenForMetrics({ port, host }, answers)
  logger.info({ host, port: listening.port }, 'listening for metrics and probes')
}

/** Not listening yet. */
function openServer(
  app: Hono<EdgeEnv>,
  { config, running, log }: Pick<NodeParts, 'config' | 'running' | 'log'>,
  share: ConnectionShare<Socket>,
): Server {
  const fetch = (request: Request, env: unknown) => {
    const answer = Promise.resolve(app.fetch(request, env as EdgeEnv['Bindings']))
    running.hold(answer)
    return answer
  }
  const server = createHttpServer({ fetch }, log)
  const standingOf = (address: string) => peerStanding(address, config.trustedProxies)
  shareConnections(server, { share, standingOf, log, now: () => performance.now() })
  return server
}

/** The client for the backends, which follows changes of its certificate files; `look` checks them at once. */
async function openClient(config: EdgeConfig, logger: Log, maxConnections: number) {
  const identity = await readIdentity(config.tlsFiles)
  const client = new BackendClient(identity, maxConnections)
  const expiry = new CertificateWatch({ use: 'client', identity, log: logger, wallClock: Date.now })
  const { look } = watchIdentity({
    current: identity,
    read: () => readIdentity(config.tlsFiles),
    onChange(renewed) {
      expiry.noteOwn(renewed)
      client.renew(renewed)
      logger.info('client certificate replaced')
    },
    onProblem: (error) =>
      logger.error({ detail: errorText(error) }, 'client certificate not usable'),
  })
  return { look, client, certificateIsValid: () => expiry.isValid() }
}

/** Resolves once the last bytes of all answers are sent, or if nobody takes them. */
async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeIdleConnections()
  setTimeout(() => server.closeAllConnections(), lastBytesMs).unref()
  await closed
}

function stopWith(message: string): void {
  sayError(message)
  process.exitCode = 1
  if (process.connected) process.disconnect()
}

try {
  await start()
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  stopWith(error.message)
}
