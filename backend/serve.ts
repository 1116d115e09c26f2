import { randomInt } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { ServiceError } from '../shared/api/errors.ts'
import { heartbeatMs } from '../shared/api/limits.ts'
import { aliveAnswer } from '../shared/api/readiness.ts'
import { probeRoutes } from '../shared/api/routes.ts'
import { after } from '../shared/async/timer.ts'
import { unlessAborted } from '../shared/async/unless-aborted.ts'
import { BodyMemory } from '../shared/bytes/body-memory.ts'
import { CertificateWatch } from '../shared/node/certificates/certificate-watch.ts'
import { readIdentity } from '../shared/node/certificates/read-identity.ts'
import { watchIdentity, type TlsIdentity } from '../shared/node/certificates/watch-identity.ts'
import type { Log } from '../shared/node/log.ts'
import type { LogSink } from '../shared/node/log-sink.ts'
import {
  listenForMetrics,
  metricsAnswer,
  type PlainAnswer,
} from '../shared/node/metrics/metrics-server.ts'
import { openTracing } from '../shared/node/open-tracing.ts'
import { openFilesLimit } from '../shared/node/open-files.ts'
import { isInTerminal } from '../shared/node/terminal.ts'
import type { BackendConfig } from './config.ts'
import { createDescriber, type Describer } from './describe.ts'
import { createBackendApp } from './http/app.ts'
import { connectionLimit } from './http/server/connection-limit.ts'
import { RunningExchanges } from './http/exchange/exchange.ts'
import { readyzAnswer, type HealthParts, type Readiness } from './http/routes/health-route.ts'
import { metricsPath } from './http/operator-paths.ts'
import { logRefusals } from './http/server/log-refusals.ts'
import { createBackendServer, listen, renewIdentity, stopServer } from './http/server/server.ts'
import type { InferenceState } from './inference/inference-state.ts'
import type { Inference } from './inference/supervisor.ts'
import { createBackendMetrics, type BackendMetrics } from './metrics/backend-metrics.ts'
import { createProcessor } from './processor/create-processor.ts'
import { createFormatCompiler } from './processor/format-compiler.ts'
import type { Processor } from './processor/processor.ts'
import { createTaskPool, type TaskPool } from './processor/task-pool.ts'
import { createPublicWeb } from './public-web.ts'
import { readServedModel } from './served-model.ts'
import { onStopRequest } from './stop-request.ts'
import { errorText } from './error-text.ts'
import { WarmUp } from './warm-up/warm-up.ts'

// Each of these is a separate program.
const compileWorker = fileURLToPath(new URL('./grammar/compile/compile-worker.ts', import.meta.url))
const textWorker = fileURLToPath(new URL('./processor/text-worker.ts', import.meta.url))
const imageProcess = fileURLToPath(
  new URL('./processor/image-process/image-process.ts', import.meta.url),
)

const now = () => performance.now()

/** The range of crypto.randomInt: 48 bits. */
const randomSeed = () => randomInt(2 ** 48 - 1)

interface ServiceParts {
  /** Its model's folder is the one that was found. */
  readonly config: BackendConfig
  /** The model as MODEL_PATH names it. */
  readonly modelPath: string
  readonly tls: TlsIdentity
  /** Loads the model meanwhile. */
  readonly inference: Inference
  readonly log: Log
  /** Where the log goes. */
  readonly output: LogSink
}

/** Processor and server: listens at once, and serves once the model is loaded and has described a picture. */
export async function serve(parts: ServiceParts): Promise<void> {
  const { config, modelPath, tls, inference, log, output } = parts
  const maxConnections = connectionLimit(openFilesLimit(), config.model.threads)
  const certificates = new CertificateWatch({
    use: 'server',
    identity: tls,
    log,
    wallClock: () => Date.now(),
  })
  const running = new RunningExchanges(new BodyMemory(config.uploadMemoryBytes))
  const web = createPublicWeb()
  let service: { readonly describer: Describer; readonly warmUp: WarmUp } | undefined
  // At the first start there is more to wait for.
  inference.onReady(() => void service?.warmUp.begin())
  const isLoaded = () => service !== undefined && inference.state() === 'ready'
  const isProven = () => isLoaded() && service?.warmUp.passed === true
  const health: HealthParts = {
    readiness: () =>
      running.closing ? 'shutting_down' : readinessOf(inference.state(), isProven()),
    isLoaded,
    isProven,
    startUp: () => inference.startUp(),
    snapshot: () => inference.snapshot(),
    certificatesAreValid: () => certificates.isValid(),
    certificates: () => certificates.report(),
  }
  let tasks: TaskPool | undefined
  const tracing = await openTracing(config.tracing, ({ level, message, ...fields }) =>
    log[level](fields, message),
  )
  const metrics = createBackendMetrics(
    {
      snapshot: () => inference.snapshot(),
      isReady: () => health.readiness() === 'ready',
      starts: () => inference.startUp().starts,
      enginePid: () => inference.pid(),
      decodePids: () => tasks?.imagePids ?? [],
    },
    tracing?.counts,
  )
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
      describer: () => {
        if (service !== undefined) return service.describer
        throw new ServiceError('model_loading', 'The model is still loading')
      },
      images: {
        transport: web.transport,
        hosts: config.imageHosts,
        enabled: config.fetchesImages,
      },
      streaming: { after, now, heartbeatMs },
      onTokenGap: metrics.countGap,
    },
    model: await readServedModel(modelPath, config),
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
    onProblem: (error) => log.error({ detail: errorText(error) }, 'certificates not usable'),
  })
  if (!isInTerminal()) process.on('SIGHUP', identity.look)
  const port = await listen(server, config.port, config.host)
  log.info({ host: config.host, port }, 'listening')

  await serveMetrics(config.metrics, health, metrics, log)
  tasks = createTasks(config)
  const { tenantWeights } = config.engine
  const formats = createFormatCompiler({ worker: compileWorker, tenantWeights })
  const loading = loadProcessor(config.model.checkpointDir, tasks)
  const stopping = onStopRequest(output, async (hurry) => {
    service?.warmUp.stop()
    log.info({ drain_ms: config.drainMs }, 'stopping')
    await stopServer(server, running, { drainMs: config.drainMs, hurry })
    const processor = loading.then((loaded) => loaded.close())
    await Promise.allSettled([
      inference.close(),
      processor,
      formats.close(),
      web.close(),
      tracing?.close(),
    ])
  })
  try {
    const [processor] = await Promise.all([loading, inference.ready()])
    const { defaultMaxTokens } = config
    const describer = createDescriber({
      processor,
      formats,
      engine: inference,
      now,
      randomSeed,
      defaultMaxTokens,
    })
    const onFailure = (problem: Error) =>
      log.error({ detail: errorText(problem) }, 'test generation failed')
    const { describe } = describer
    service = { describer, warmUp: new WarmUp({ describe, after, onFailure }) }
    void service.warmUp.begin()
    await unlessAborted(service.warmUp.passedOnce, stopping)
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

function createTasks({ model, engine, decodeMemoryBytes }: BackendConfig): TaskPool {
  const { checkpointDir: modelFolder, threads } = model
  const { tenantWeights } = engine
  return createTaskPool({
    textWorker,
    imageProcess,
    modelFolder,
    threads,
    decodeMemoryBytes,
    tenantWeights,
  })
}

async function loadProcessor(modelFolder: string, tasks: TaskPool): Promise<Processor> {
  try {
    return await createProcessor({ modelFolder, tasks })
  } catch (cause) {
    throw new Error(`Cannot load the model in ${modelFolder}: ${errorText(cause)}`, { cause })
  }
}

function readinessOf(inference: InferenceState, isProven: boolean): Readiness {
  switch (inference) {
    case 'ready':
      return isProven ? 'ready' : 'model_loading'
    case 'loading':
    case 'failed':
      return 'model_loading'
    case 'restarting':
      return 'engine_restarting'
    case 'stopped':
      return 'shutting_down'
  }
}
