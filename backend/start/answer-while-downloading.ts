import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { aliveAnswer } from '../../shared/api/readiness.ts'
import { probeRoutes } from '../../shared/api/routes.ts'
import { BodyMemory } from '../../shared/bytes/body-memory.ts'
import { CertificateWatch } from '../../shared/node/certificates/certificate-watch.ts'
import { readIdentity } from '../../shared/node/certificates/read-identity.ts'
import { ConnectionShare } from '../../shared/node/connections/connection-share.ts'
import { shareConnections } from '../../shared/node/connections/share-connections.ts'
import { lineWriter, type Log } from '../../shared/node/log/log.ts'
import { listenForMetrics, type PlainAnswer } from '../../shared/node/metrics/metrics-server.ts'
import { openFilesLimit } from '../../shared/node/process/open-files.ts'
import type { ProgressAmount } from '../../shared/progress/progress.ts'
import type { BackendConfig } from '../config.ts'
import { createDownloadingApp } from '../http/downloading-app.ts'
import { RunningExchanges } from '../http/exchange/exchange.ts'
import { readyzAnswer, type ProbeParts } from '../http/routes/health-route.ts'
import { connectionLimit } from '../http/server/connection-limit.ts'
import { createBackendServer, listen, stopServer } from '../http/server/server.ts'

/** Milliseconds that answers in progress may take when the service takes over: there are only short ones. */
const drainMs = 500

/** What the downloading needs to know of the settings. */
export type StopgapConfig = Pick<
  BackendConfig,
  'host' | 'port' | 'metrics' | 'tlsPaths' | 'allowedClients' | 'model' | 'uploadMemoryBytes'
>

/** Listens where the service will. */
export interface Stopgap {
  /** Makes room for the service. */
  close(): Promise<void>
}

/**
 * Answers in place of the service while its model is downloaded, which may take an hour: it is alive, but not ready.
 * @param downloaded how much has arrived; undefined until that is known
 * @throws {Error} for the operator, when it cannot listen
 */
export async function answerWhileDownloading(
  config: StopgapConfig,
  downloaded: () => ProgressAmount | undefined,
  log: Log,
): Promise<Stopgap> {
  const tls = await readIdentity(config.tlsPaths)
  const now = () => performance.now()
  const running = new RunningExchanges(new BodyMemory(config.uploadMemoryBytes))
  const wallClock = () => Date.now()
  const certificates = new CertificateWatch({ use: 'server', identity: tls, log, wallClock })
  const probes: ProbeParts = {
    readiness: () => 'model_loading',
    serving: nothingServed(downloaded, now),
    certificates,
  }
  const onClientCertificate = certificates.noteClient.bind(certificates)
  const { allowedClients } = config
  const parts = { running, log, now, allowedClients, onClientCertificate, probes }
  const server = createBackendServer(createDownloadingApp(parts), tls)
  const share = new ConnectionShare<Socket>(connectionLimit(openFilesLimit(), config.model.threads))
  shareConnections(server, { share, standingOf: () => 'many', log: lineWriter(log), now })
  const { host } = config
  const port = await listen(server, config.port, host)
  log.info({ host, port }, 'answering probes until the model is downloaded')
  const close = () => stopServer(server, running, { drainMs, hurry: new AbortController().signal })
  const plain = await listenForProbes(config.metrics, probes).catch(async (cause: unknown) => {
    await close()
    throw cause
  })
  return {
    async close() {
      plain?.close()
      plain?.closeAllConnections()
      await close()
    },
  }
}

/** The state of a service that has not begun. */
function nothingServed(
  downloaded: () => ProgressAmount | undefined,
  now: () => number,
): ProbeParts['serving'] {
  const startedAt = now()
  return {
    isLoaded: () => false,
    isProven: () => false,
    startUp: () => ({
      starts: 0,
      seconds: Math.round((now() - startedAt) / 100) / 10,
      downloaded: downloaded(),
      converted: undefined,
      loaded: undefined,
    }),
    snapshot: () => ({ queued: 0, queueLimit: 1, queuedWork: 0, queueWorkLimit: 1 }),
  }
}

/** The plain listener, if one is configured; there are no metrics yet. */
async function listenForProbes(
  { port, host }: BackendConfig['metrics'],
  probes: ProbeParts,
): Promise<Server | undefined> {
  if (port === undefined) return undefined
  const answers = new Map<string, PlainAnswer>([
    [probeRoutes.livez.path, aliveAnswer],
    [probeRoutes.readyz.path, () => readyzAnswer(probes)],
  ])
  return (await listenForMetrics({ port, host }, answers)).server
}
