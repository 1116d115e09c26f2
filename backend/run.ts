import { heartbeatMs } from '../shared/api/limits.ts'
import { CertificateWatch } from '../shared/node/certificates/certificate-watch.ts'
import {
  listenForMetrics,
  metricsAnswer,
  type PlainAnswer,
} from '../shared/node/metrics/metrics-server.ts'
import { readIdentity } from '../shared/node/certificates/read-identity.ts'
import { watchIdentity } from '../shared/node/certificates/watch-identity.ts'
import { exitAfter, sayError } from '../shared/node/end-process.ts'
import { createLog, type Log, openStandardOutput } from '../shared/node/log.ts'
import type { LogSink } from '../shared/node/log-sink.ts'
import { openFilesLimit } from '../shared/node/open-files.ts'
import { createPublicTransport } from '../shared/node/public-agent.ts'
import { isInTerminal } from '../shared/node/terminal.ts'
import { misspelt } from '../shared/settings/misspelt.ts'
import { backendSettingNames, parseConfig, type BackendConfig } from './config.ts'
import { findCheckpoint } from './find-checkpoint.ts'
import { createBackendApp } from './http/app.ts'
import { BodyMemory } from '../shared/bytes/body-memory.ts'
import { connectionLimit } from './http/connection-limit.ts'
import { logRefusals } from './http/log-refusals.ts'
import { RunningExchanges } from './http/exchange.ts'
import { metricsPath, readyzAnswer, type HealthParts } from './http/health-route.ts'
import { createBackendServer, listen, renewIdentity, stopServer } from './http/server.ts'
import { after } from '../shared/async/timer.ts'
import { aliveAnswer } from '../shared/api/readiness.ts'
import { probeRoutes } from '../shared/api/routes.ts'
import { readServedModel } from './served-model.ts'
import { EnginesElsewhere } from './serving/engines-elsewhere.ts'
import { OwnEngine } from './serving/own-engine.ts'
import type { Serving } from './serving/serving.ts'
import { createBackendMetrics, type BackendMetrics } from './metrics/backend-metrics.ts'

const now = () => performance.now()

/** Settings → engine and processor → server, which listens at once and serves once the model is loaded. */
async function run(output: LogSink): Promise<void> {
  const settings = parseConfig(process.env)
  const log = createLog(settings.logLevel, output)
  const checkpointDir = await findCheckpoint(settings, (line) => log.info(line))
  if (checkpointDir === undefined) return exitAfter(output, 0)
  const config = { ...settings, model: { ...settings.model, checkpointDir } }
  const maxConnections = connectionLimit(openFilesLimit(), config.model.threads)
  const tls = await readIdentity(config.tlsPaths)
  // npm start has warned already.
  const slips = process.connected ? [] : misspelt(Object.keys(process.env), backendSettingNames)
  for (const slip of slips) log.warn(slip, 'a variable that nothing reads')
  const certificates = new CertificateWatch({
    use: 'server',
    identity: tls,
    log,
    wallClock: () => Date.now(),
  })
  const running = new RunningExchanges(new BodyMemory(config.uploadMemoryBytes))
  const web = createPublicTransport()
  const model = await readServedModel(settings.model.checkpointDir, config)
  const serving = createServing(config, model.contextTokens, log)
  const health: HealthParts = {
    readiness: () => (running.closing ? 'shutting_down' : serving.readiness()),
    isLoaded: () => serving.isLoaded(),
    isProven: () => serving.isProven(),
    startUp: () => serving.startUp(),
    snapshot: () => serving.snapshot(),
    engines: serving.engines,
    certificatesAreValid: () => certificates.isValid(),
    certificates: () => certificates.report(),
  }
  const metrics = createBackendMetrics({
    snapshot: () => serving.snapshot(),
    engines: serving.engines,
    isReady: () => health.readiness() === 'ready',
    starts: () => serving.startUp().starts,
    enginePid: () => serving.enginePid(),
    decodePids: () => serving.decodePids(),
  })
  const app = createBackendApp({
    running,
    log,
    now,
    deadlineMs: config.deadlineMs,
    allowedClients: config.allowedClients,
    onClientCertificate: (name, certificate) => certificates.noteClient(name, certificate),
    health,
    metrics,
    generate: {
      describer: () => serving.describer(),
      images: {
        transport: web.transport,
        hosts: config.imageHosts,
        enabled: config.fetchesImages,
      },
      streaming: { after, now, heartbeatMs },
    },
    model,
  })
  const server = createBackendServer(app, tls)
  server.maxConnections = maxConnections
  logRefusals(server, log, now)
  const identity = watchIdentity({
    current: tls,
    read: () => readIdentity(config.tlsPaths),
    onChange(renewed) {
      renewIdentity(server, renewed)
      certificates.noteOwn(renewed)
      log.info('certificates replaced')
    },
    onProblem: (error) => log.error({ detail: textOf(error) }, 'certificates not usable'),
  })
  if (!isInTerminal()) process.on('SIGHUP', identity.look)
  const port = await listen(server, config.port, config.host)
  log.info({ host: config.host, port }, 'listening')

  await serveMetrics(config.metrics, health, metrics, log)
  const stopping = onStopRequest(output, async (hurry) => {
    log.info({ drain_ms: config.drainMs }, 'stopping')
    await stopServer(server, running, { drainMs: config.drainMs, hurry })
    await Promise.allSettled([serving.close(), web.close()])
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

/** The plain listener for what watches over this program, if one is asked for. */
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

/** Engines elsewhere where the settings name some, else the engine of this server. */
function createServing(config: BackendConfig, contextTokens: number, log: Log): Serving {
  if (config.cluster === undefined) return new OwnEngine(config, log)
  return new EnginesElsewhere(config, config.cluster, contextTokens, log)
}

/**
 * Runs `stop` once and ends the program: on a signal, or when the program that started this one is gone. A second
 * request makes it hurry.
 * @returns a signal that is aborted from then on
 */
function onStopRequest(output: LogSink, stop: (hurry: AbortSignal) => Promise<void>): AbortSignal {
  const requested = new AbortController()
  const hurry = new AbortController()
  const onRequest = async () => {
    if (requested.signal.aborted) return hurry.abort()
    requested.abort()
    await stop(hurry.signal)
    await exitAfter(output, 0)
  }
  for (const event of ['SIGINT', 'SIGTERM', 'disconnect'] as const)
    process.on(event, () => void onRequest())
  if (isInTerminal()) process.on('SIGHUP', () => void onRequest())
  return requested.signal
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

const output = openStandardOutput()
try {
  await run(output)
} catch (error) {
  // The processes started here end by themselves when this one is gone.
  sayError(textOf(error))
  await exitAfter(output, 1)
}
