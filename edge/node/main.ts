import type { AddressInfo } from 'node:net'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { readIdentity } from '../../shared/node/certificates/read-identity.ts'
import { watchIdentity } from '../../shared/node/certificates/watch-identity.ts'
import { sayError } from '../../shared/node/end-process.ts'
import { ConfigError } from '../../shared/node/environment.ts'
import { createLog, openStandardOutput } from '../../shared/node/log.ts'
import { createPublicTransport } from '../../shared/node/public-agent.ts'
import { isInTerminal } from '../../shared/node/terminal.ts'
import { misspelt } from '../../shared/settings/misspelt.ts'
import { createEdgeApp } from '../app.ts'
import { BackendPool } from '../backends/pool.ts'
import { copiedStream } from '../body/web-pieces.ts'
import { AnswerRegister } from '../idempotency/answer-register.ts'
import { createApiKeys } from '../keys/api-keys.ts'
import { KeyRegistry } from '../keys/key-registry.ts'
import { localKeySource } from '../keys/key-source.ts'
import { isLoopback, AddressWindow } from '../limits/address-window.ts'
import { KeyMeter } from '../limits/key-meter.ts'
import { localMeter } from '../limits/local-meter.ts'
import { BackendClient } from './backend-client.ts'
import { edgeSettingNames, parseEdgeConfig } from './config.ts'
import { afterSending } from './after-sending.ts'
import { isEarlierProcess } from './earlier-process.ts'
import { hashKeyNow } from './hash-key.ts'
import { createHttpServer } from './http-server.ts'
import { openSqlite } from './sqlite.ts'
import { sweepAnswers } from './sweep-answers.ts'
import { warnOfExpiry } from './warn-of-expiry.ts'
import type { LogLine } from '../platform.ts'
import { guardStream } from './guard-stream.ts'

/** Milliseconds running requests may take to end once the process is asked to stop. */
const drainMs = 4_000

async function start(): Promise<void> {
  const config = parseEdgeConfig(process.env)
  const logger = createLog(config.logLevel, openStandardOutput())
  // npm start has warned already.
  const slips = process.connected ? [] : misspelt(Object.keys(process.env), edgeSettingNames)
  for (const slip of slips) logger.warn(slip, 'a variable that nobody reads')
  let identity = await readIdentity(config.tlsFiles)
  const client = new BackendClient(identity)
  const now = () => performance.now()
  const pool = new BackendPool({
    targets: config.backendUrls.map((url) => client.target(url)),
    now,
    random: Math.random,
    deadlineMs: config.deadlineMs,
  })
  const wallClock = () => Date.now()
  warnOfExpiry(() => identity, logger.warn.bind(logger), wallClock)
  const stateFolder = join(config.stateDir, 'edge')
  const keyStore = new KeyRegistry(openSqlite(stateFolder, 'keys'), wallClock)
  const keyMeter = new KeyMeter(openSqlite(stateFolder, 'usage'), String(process.pid))
  keyMeter.abandonCalls(isEarlierProcess, wallClock())
  const answersFile = openSqlite(stateFolder, 'answers')
  const answers = new AnswerRegister(answersFile, wallClock, String(process.pid))
  answers.abandonRuns(isEarlierProcess)
  sweepAnswers(answers, (error) => logger.error({ detail: String(error) }, 'answers not removed'))
  const addresses = new AddressWindow(config.addressLimit)
  const log = ({ level, message, ...fields }: LogLine) => logger[level](fields, message)
  const app = createEdgeApp({
    keys: createApiKeys({
      rootKey: config.apiKey,
      source: localKeySource(keyStore),
      wallClock,
      hash: hashKeyNow,
    }),
    keyStore,
    revocationCutsStreams: config.revocation.cutsStreams,
    meter: afterSending(localMeter(keyMeter, wallClock)),
    async admitAddress(c) {
      const address = c.env.incoming?.socket?.remoteAddress
      return address === undefined || isLoopback(address) || addresses.admit(address, now())
    },
    webBody: copiedStream,
    relay: guardStream,
    keepAlive: () => undefined,
    backend: pool.call,
    stickyByContent: config.stickyByContent,
    answers,
    fetchPublic: createPublicTransport().transport,
    imageHosts: config.imageHosts,
    log,
    now,
    wallClock,
    deadlineMs: config.deadlineMs,
  })
  const server = createHttpServer(app, log)

  server.once('error', (error: NodeJS.ErrnoException) => {
    const taken = error.code === 'EADDRINUSE'
    stopWith(taken ? `Port ${config.port} on ${config.host} is already in use` : error.message)
  })
  server.listen(config.port, config.host, () => {
    const { port } = server.address() as AddressInfo
    logger.info({ host: config.host, port }, 'edge listening')
    process.send?.({ type: 'ready', port })
    // The launcher is gone, however it ended.
    process.once('disconnect', () => drain(server))
  })
  const certificates = watchIdentity({
    current: identity,
    read: () => readIdentity(config.tlsFiles),
    onChange(renewed) {
      identity = renewed
      client.renew(renewed)
      logger.info('client certificate replaced')
    },
    onProblem: (error) => logger.error({ detail: String(error) }, 'client certificate not usable'),
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => drain(server))
  process.on('SIGHUP', isInTerminal() ? () => drain(server) : certificates.look)
}

/** No new requests; running ones get their time, then everything ends. */
function drain(server: Server): void {
  // A second request to stop must not cut the first one's drain short.
  if (!server.listening) return
  server.close(() => process.exit(0))
  server.closeIdleConnections()
  setTimeout(() => server.closeAllConnections(), drainMs).unref()
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
