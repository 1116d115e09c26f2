import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CertificateWatch } from '../../shared/node/certificates/certificate-watch.ts'
import { readIdentity } from '../../shared/node/certificates/read-identity.ts'
import { watchIdentity } from '../../shared/node/certificates/watch-identity.ts'
import { exitAfter, sayError } from '../../shared/node/end-process.ts'
import { ConfigError } from '../../shared/node/environment.ts'
import { createLog, type Log, openStandardOutput } from '../../shared/node/log.ts'
import type { LogSink } from '../../shared/node/log-sink.ts'
import { isInTerminal } from '../../shared/node/terminal.ts'
import { misspelt } from '../../shared/settings/misspelt.ts'
import { createEdgeApp } from '../app.ts'
import type { EdgeEnv } from '../calls/context.ts'
import { BackendClient } from './backend-client.ts'
import { edgeSettingNames, type EdgeConfig, parseEdgeConfig } from './config.ts'
import { createPlatform } from './create-platform.ts'
import { createHttpServer } from './http-server.ts'
import { RunningCalls } from './running-calls.ts'

/** Milliseconds the last bytes of answers may take to be sent. */
const lastBytesMs = 500

async function start(): Promise<void> {
  const config = parseEdgeConfig(process.env)
  const sink = openStandardOutput()
  const logger = createLog(config.logLevel, sink)
  // npm start has warned already.
  const slips = process.connected ? [] : misspelt(Object.keys(process.env), edgeSettingNames)
  for (const slip of slips) logger.warn(slip, 'a variable that nobody reads')
  const { client, lookForCertificates } = await openClient(config, logger)
  const running = new RunningCalls()
  const app = createEdgeApp(
    createPlatform({
      config,
      client,
      running,
      log: ({ level, message, ...fields }) => logger[level](fields, message),
    }),
  )
  const server = createHttpServer(
    {
      fetch(request, env) {
        const answer = Promise.resolve(app.fetch(request, env as EdgeEnv['Bindings']))
        running.hold(answer)
        return answer
      },
    },
    ({ level, message, ...fields }) => logger[level](fields, message),
  )
  const stop = stopOnce(server, running, config.drainMs, sink)
  server.once('error', (error: NodeJS.ErrnoException) => {
    const taken = error.code === 'EADDRINUSE'
    stopWith(taken ? `Port ${config.port} on ${config.host} is already in use` : error.message)
  })
  server.listen(config.port, config.host, () => {
    const { port } = server.address() as AddressInfo
    logger.info({ host: config.host, port }, 'edge listening')
    process.send?.({ type: 'ready', port })
    // The launcher is gone, however it ended.
    process.once('disconnect', stop)
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  process.on('SIGHUP', isInTerminal() ? stop : lookForCertificates)
}

/** The client of the backends, which follows its certificate files. */
async function openClient(config: EdgeConfig, logger: Log) {
  const identity = await readIdentity(config.tlsFiles)
  const client = new BackendClient(identity)
  const expiry = new CertificateWatch({ use: 'client', identity, log: logger, wallClock: Date.now })
  const { look } = watchIdentity({
    current: identity,
    read: () => readIdentity(config.tlsFiles),
    onChange(renewed) {
      expiry.noteOwn(renewed)
      client.renew(renewed)
      logger.info('client certificate replaced')
    },
    onProblem: (error) => logger.error({ detail: String(error) }, 'client certificate not usable'),
  })
  return { client, lookForCertificates: look }
}

/**
 * The first signal lets what runs end, while the port still answers that this edge is about to; the second ends all at
 * once.
 */
function stopOnce(
  server: Server,
  running: RunningCalls,
  drainMs: number,
  sink: LogSink,
): () => void {
  const drain = async () => {
    await running.drain(drainMs)
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeIdleConnections()
    setTimeout(() => server.closeAllConnections(), lastBytesMs).unref()
    await closed
    await exitAfter(sink, 0)
  }
  return () => void (running.begun ? exitAfter(sink, 1) : drain())
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
