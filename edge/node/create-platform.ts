import { BodyMemory } from '../../shared/bytes/body-memory.ts'
import type { LogLine } from '../../shared/log/log-line.ts'
import { isLoopback } from '../../shared/network/client-network.ts'
import { createPublicTransport } from '../../shared/node/public-agent.ts'
import { metricsAnswer } from '../../shared/node/metrics/metrics-server.ts'
import type { Tracing } from '../../shared/tracing/tracing.ts'
import { BackendPool } from '../backends/pool.ts'
import { copiedStream } from '../body/web-pieces.ts'
import { createApiKeys } from '../keys/api-keys.ts'
import { localKeySource } from '../keys/key-source.ts'
import { addressWindowMs } from '../calls/guard-address.ts'
import { AddressWindow } from '../limits/address-window.ts'
import { localMeter } from '../limits/local-meter.ts'
import type { Platform } from '../platform.ts'
import type { BackendClient } from './backend-client.ts'
import type { EdgeConfig } from './config.ts'
import { clientAddress } from './client-address.ts'
import { guardStream } from './guard-stream.ts'
import { hashKeyNow } from './hash-key.ts'
import type { RunningCalls } from './running-calls.ts'
import type { EdgeMetrics } from './metrics/edge-metrics.ts'
import { pageLoader } from './page/load-page.ts'
import { openStores } from './stores/stores.ts'
import { sweepAnswers } from './stores/sweep-answers.ts'

export interface NodeParts {
  readonly config: EdgeConfig
  readonly client: BackendClient
  readonly running: RunningCalls
  /** Whether the client certificate, and one of the authorities, is valid now. */
  readonly certificateIsValid: () => boolean
  readonly log: (line: LogLine) => void
  readonly metrics: EdgeMetrics
  readonly tracing: Tracing | undefined
}

/** What the app needs, on Node: stores in SQLite files, a client with a certificate, one process. */
export function createPlatform(parts: NodeParts): Platform {
  const { config, client, running, certificateIsValid, log, metrics, tracing } = parts
  const now = () => performance.now()
  const wallClock = () => Date.now()
  const { keyStore, keyMeter, answers } = openStores(config.stateDir, wallClock)
  sweepAnswers(answers, (error) =>
    log({ level: 'error', message: 'answers not removed', detail: String(error) }),
  )
  const pool = new BackendPool({
    targets: config.backendUrls.map((url) => client.target(url)),
    now,
    random: Math.random,
    deadlineMs: config.deadlineMs,
  })
  const addresses = new AddressWindow(config.addressLimit, addressWindowMs)
  return {
    keys: createApiKeys({
      rootKey: config.apiKey,
      source: localKeySource(keyStore),
      wallClock,
      hash: hashKeyNow,
    }),
    keyStore,
    revocationCutsStreams: config.revocation.cutsStreams,
    certificateIsValid,
    metrics: () => metricsAnswer(metrics.registry),
    measure: metrics.measure,
    tracing,
    meter: localMeter(keyMeter, wallClock),
    async admitAddress(c) {
      const { address } = c.var.call
      return address === undefined || isLoopback(address) || addresses.admit(address, now())
    },
    clientAddress(c) {
      const peer = c.env.incoming?.socket?.remoteAddress
      const forwardedFor = c.req.header('x-forwarded-for')
      return peer && clientAddress(peer, forwardedFor, config.trustedProxies)
    },
    webBody: copiedStream,
    relay: guardStream,
    keepAlive: (_c, work) => running.hold(work),
    stopping: running,
    backend: pool.call,
    imageTokens: pool.imageTokens,
    stickyByContent: config.stickyByContent,
    bodyMemory: new BodyMemory(config.memoryBytes),
    answers,
    fetchPublic: createPublicTransport().transport,
    imageHosts: config.imageHosts,
    corsOrigins: config.corsOrigins,
    log,
    now,
    wallClock,
    deadlineMs: config.deadlineMs,
    page: pageLoader(),
  }
}
