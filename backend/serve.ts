import type { Server } from 'node:https'
import type { Socket } from 'node:net'
import { heartbeatMs } from '../shared/api/limits.ts'
import { aliveAnswer } from '../shared/api/readiness.ts'
import { probeRoutes } from '../shared/api/routes.ts'
import { after } from '../shared/async/timer.ts'
import { BodyMemory } from '../shared/bytes/body-memory.ts'
import { CertificateWatch } from '../shared/node/certificates/certificate-watch.ts'
import { readIdentity } from '../shared/node/certificates/read-identity.ts'
import { watchIdentity, type TlsIdentity } from '../shared/node/certificates/watch-identity.ts'
import { lineWriter, type Log } from '../shared/node/log/log.ts'
import type { LogSink } from '../shared/node/log/log-sink.ts'
import {
  listenForMetrics,
  metricsAnswer,
  type PlainAnswer,
} from '../shared/node/metrics/metrics-server.ts'
import { openTracing } from '../shared/node/open-tracing.ts'
import { ConnectionShare } from '../shared/node/connections/connection-share.ts'
import { shareConnections } from '../shared/node/connections/share-connections.ts'
import { addConnectionMetrics } from '../shared/node/metrics/connection-metrics.ts'
import { openFilesLimit } from '../shared/node/process/open-files.ts'
import { isInTerminal } from '../shared/node/process/terminal.ts'
import type { BackendConfig } from './config.ts'
import { createBackendApp } from './http/app.ts'
import { connectionLimit } from './http/server/connection-limit.ts'
import { RunningExchanges } from './http/exchange/exchange.ts'
import { readyzAnswer, type HealthParts } from './http/routes/health-route.ts'
import type { ServedModel } from './http/routes/models.ts'
import { metricsPath } from './http/operator-paths.ts'
import { logRefusals } from './http/server/log-refusals.ts'
import { createBackendServer, listen, renewIdentity, stopServer } from './http/server/server.ts'
import type { Inference } from './inference/supervisor.ts'
import { createBackendMetrics, type BackendMetrics } from './metrics/backend-metrics.ts'
import { createPublicWeb } from './start/public-web.ts'
import { readServedModel } from './start/served-model.ts'
import { EnginesElsewhere } from './serving/engines-elsewhere.ts'
import { OwnEngine } from './serving/own-engine.ts'
import type { Serving } from './serving/serving.ts'
import { onStopRequest } from './start/stop-request.ts'
import type { ProviderChoice } from './device/choose-provider.ts'
import { errorText } from '../shared/log/error-text.ts'

const now = () => performance.now()

interface ServiceParts {
  /** Its model's folder is the one that was found. */
  readonly config: BackendConfig
  /** The model as MODEL_PATH names it. */
  readonly modelPath: string
  /** Undefined with engines elsewhere. */
  readonly provider: ProviderChoice | undefined
  readonly tls: TlsIdentity
  /** Loads the model meanwhile; undefined with engines elsewhere. */
  readonly inference: Inference | undefined
  readonly log: Log
  /** Where the log goes. */
  readonly output: LogSink
}

/** Server and what answers behind it: listens at once, and serves once the model is loaded and has described a picture. */
export async function serve(parts: ServiceParts): Promise<void> {
  const { config, provider, tls, log, output } = parts
  const share = new ConnectionShare<Socket>(connectionLimit(openFilesLimit(), config.model.threads))
  const wallClock = () => Date.now()
  const certificates = new CertificateWatch({ use: 'server', identity: tls, log, wallClock })
  const running = new RunningExchanges(new BodyMemory(config.uploadMemoryBytes))
  const web = createPublicWeb()
  const model = await readServedModel(parts.modelPath, config)
  const serving = servingOf(parts, model)
  const health: HealthParts = {
    readiness: () => (running.closing ? 'shutting_down' : serving.readiness()),
    serving,
    provider: provider && { name: provider.name, reason: provider.reason, layers: provider.layers },
    certificates,
  }
  const tracing = await openTracing(config.tracing, lineWriter(log))
  const isReady = () => health.readiness() === 'ready'
  const metrics = createBackendMetrics({ serving, isReady, provider }, tracing?.counts)
  addConnectionMetrics(metrics.registry, 'describe', () => share.counts)
  const app = createBackendApp({
    running,
    log,
    now,
    deadlineMs: config.deadlineMs,
    allowedClients: config.allowedClients,
    onClientCertificate: (name, certificate) => certificates.noteClient(name, certificate),
    health,
    metrics,
    tracing,
    generate: {
      describer: () => serving.describer(),
      images: {
        transport: web.transport,
        hosts: config.imageHosts,
        enabled: config.fetchesImages,
      },
      streaming: { after, now, heartbeatMs },
      onTokenGap: metrics.countGap,
    },
    model: servedBy(serving, model),
  })
  const server = createBackendServer(app, tls)
  shareConnections(server, { share, standingOf: () => 'many', log: lineWriter(log), now })
  logRefusals(server, log, now)
  followCertificates(server, parts, certificates)
  const port = await listen(server, config.port, config.host)
  logStart(parts, port, model)
  await serveMetrics(config.metrics, health, metrics, log)
  const stopping = onStopRequest(output, async (hurry) => {
    log.info({ drain_ms: config.drainMs }, 'stopping')
    await stopServer(server, running, { drainMs: config.drainMs, hurry })
    await Promise.allSettled([serving.close(), web.close(), tracing?.close()])
  })
  try {
    await serving.start(stopping)
  } catch (error) {
    // Stopped while loading, which is not a failure.
    if (stopping.aborted) return
    throw error
  }
  log.info('ready')
  process.send?.({ type: 'ready', port })
}

function servingOf({ config, inference, log }: ServiceParts, model: ServedModel): Serving {
  return inference === undefined
    ? new EnginesElsewhere(config, model, log)
    : new OwnEngine(config, inference, model.reasons, log)
}

/** The model as clients see it: engines elsewhere may have less room than it could use. */
function servedBy(serving: Serving, model: ServedModel): ServedModel {
  return {
    ...model,
    get contextTokens() {
      return serving.contextTokens?.() ?? model.contextTokens
    },
  }
}

/** Has the server use certificate files that were replaced. */
function followCertificates(
  server: Server,
  { config, tls, log }: ServiceParts,
  certificates: CertificateWatch,
): void {
  const identity = watchIdentity({
    current: tls,
    read: () => readIdentity(config.tlsPaths),
    onChange(renewed) {
      renewIdentity(server, renewed)
      certificates.noteOwn(renewed)
      log.info('certificates replaced')
    },
    onProblem: (error) => log.error({ detail: errorText(error) }, 'certificates not usable'),
  })
  if (!isInTerminal()) process.on('SIGHUP', identity.look)
}

function logStart({ config, provider, log }: ServiceParts, port: number, model: ServedModel): void {
  log.info({ host: config.host, port }, 'listening')
  if (provider !== undefined) {
    log.info({ provider: provider.name }, `decoder on ${provider.name}: ${provider.reason}`)
  }
  if (model.reasons) log.info('the model thinks before it answers; its thoughts are kept apart')
}

/** The plain listener for probes and scrapers of this machine, if one is configured. */
async function serveMetrics(
  { port, host }: BackendConfig['metrics'],
  health: HealthParts,
  { registry }: BackendMetrics,
  log: Log,
): Promise<void> {
  if (port === undefined) return
  const answers = new Map<string, PlainAnswer>([
    [metricsPath, () => metricsAnswer(registry)],
    [probeRoutes.livez.path, aliveAnswer],
    [probeRoutes.readyz.path, () => readyzAnswer(health)],
  ])
  const listening = await listenForMetrics({ port, host }, answers)
  log.info({ host, port: listening.port }, 'listening for metrics and probes')
}
