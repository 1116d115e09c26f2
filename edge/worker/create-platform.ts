import page from 'page-files'
import { BodyMemory } from '../../shared/bytes/body-memory.ts'
import type { LogLine } from '../../shared/log/log-line.ts'
import { networkOf } from '../../shared/network/client-network.ts'
import { steadyClock } from '../../shared/time/steady-clock.ts'
import { BackendPool } from '../backends/pool.ts'
import { createApiKeys } from '../keys/api-keys.ts'
import { copyReader } from '../keys/key-copies.ts'
import { SyncedKeySource } from '../keys/synced-key-source.ts'
import type { Platform } from '../platform.ts'
import { pointMeasure } from './analytics.ts'
import { openTracing } from './open-tracing.ts'
import { boundTarget } from './bound-target.ts'
import { logLevels } from '../../shared/log/log-levels.ts'
import type { WorkerConfig } from './config.ts'
import { writeWorkerLine } from './log.ts'
import { relayNatively } from './native-relay.ts'
import { pumpedStream } from './pumped-stream.ts'
import { remoteAnswers } from './remote-answers.ts'
import { remoteKeyStore } from './remote-key-store.ts'
import { remoteMeter } from './remote-meter.ts'
import type { RunningRequests } from './running-requests.ts'

/**
 * Bytes of bodies and answers that all requests may hold together: three quarters of an isolate's 128 MiB. One key may
 * hold half of that, which is more than the largest request takes.
 */
const isolateMemoryBytes = 96 * 1024 * 1024

/** What the app needs, in a Worker: Durable Objects, bindings with a client certificate, an isolate among many. */
export function createPlatform(config: WorkerConfig, running: RunningRequests): Platform {
  // Isolates have no monotonic clock.
  const now = steadyClock(Date.now)
  const pool = new BackendPool({
    targets: config.backends.map(boundTarget),
    now,
    random: Math.random,
    deadlineMs: config.DEADLINE_MS,
  })
  const wallClock = () => Date.now()
  const log = (line: LogLine) => {
    if (isLogged(line.level, config.LOG_LEVEL)) writeWorkerLine(line)
  }
  const keyStore = remoteKeyStore(config.KEY_AUTHORITY)
  const source = new SyncedKeySource(keyStore, {
    maxStaleMs: config.REVOCATION_MAX_STALE_MS,
    graceMs: config.REVOCATION_GRACE_MS,
    now,
    readCopy: copyReader(config.KEYS, log),
  })
  return {
    keys: createApiKeys({ rootKey: config.API_KEY, source, wallClock }),
    keyStore,
    revocationCutsStreams: config.REVOCATION_CUTS_STREAMS,
    meter: remoteMeter(config.KEY_METER),
    // It lives in the binding, which does not show it.
    certificateIsValid: undefined,
    // Isolates come and go, and none knows the counts of all.
    metrics: undefined,
    measure: config.METRICS && pointMeasure(config.METRICS, () => source.ageMs),
    tracing: openTracing(config, log),
    async admitAddress(c) {
      const { address } = c.var.call
      if (address === undefined) return true
      const { success } = await config.ADDRESS_GUARD.limit({ key: networkOf(address) })
      return success
    },
    // Set by Cloudflare's network; absent where the Worker runs elsewhere.
    clientAddress: (c) => c.req.header('cf-connecting-ip'),
    webBody: pumpedStream,
    relay: relayNatively,
    keepAlive(c, work) {
      c.executionCtx.waitUntil(work)
      running.hold(work)
    },
    stopping: running,
    backend: pool.call,
    imageTokens: pool.imageTokens,
    stickyByContent: config.BACKEND_AFFINITY === 'content' && config.backends.length > 1,
    bodyMemory: new BodyMemory(isolateMemoryBytes),
    answers: remoteAnswers(config.KEPT_ANSWERS),
    fetchPublic: (url, init) => fetch(url, init),
    imageHosts: { allowed: config.IMAGE_HOSTS_ALLOWED, denied: config.IMAGE_HOSTS_DENIED },
    corsOrigins: config.CORS_ORIGINS,
    log,
    now,
    wallClock,
    deadlineMs: config.DEADLINE_MS,
    page: () => page,
  }
}

function isLogged(level: LogLine['level'], threshold: WorkerConfig['LOG_LEVEL']): boolean {
  return logLevels.indexOf(level) >= logLevels.indexOf(threshold)
}
