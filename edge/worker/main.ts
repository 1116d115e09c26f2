import type { Hono } from 'hono'
import { errorResponse, ServiceError } from '../../shared/api/errors.ts'
import { requestIdFrom, requestIdHeader } from '../../shared/api/request-id.ts'
import { logLevels } from '../../shared/log/log-levels.ts'
import { createEdgeApp } from '../app.ts'
import { pumpedStream } from './pumped-stream.ts'
import { boundTarget } from './bound-target.ts'
import { BackendPool } from '../backends/pool.ts'
import { remoteAnswers } from './remote-answers.ts'
import { createApiKeys } from '../keys/api-keys.ts'
import { copyReader } from '../keys/key-copies.ts'
import { remoteKeyStore } from './remote-key-store.ts'
import { SyncedKeySource } from '../keys/synced-key-source.ts'
import { networkOf } from '../limits/address-window.ts'
import { remoteMeter } from './remote-meter.ts'
import { writeWorkerLine } from './log.ts'
import type { EdgeEnv, LogLine, Platform } from '../platform.ts'
import { relayNatively } from './native-relay.ts'
import {
  type BadSetting,
  misspeltVariables,
  parseWorkerConfig,
  type WorkerConfig,
} from './config.ts'

export { AnswerRegisterObject } from './objects/answer-register-object.ts'
export { KeyAuthority } from './objects/key-authority.ts'
export { KeyMeterObject } from './objects/key-meter-object.ts'

/** Made by the first request of an isolate: bindings arrive with it and stay the same. */
let app: Hono<EdgeEnv> | undefined

export default {
  async fetch(request: Request, env: unknown, context: ExecutionContext): Promise<Response> {
    if (app === undefined) {
      const parsed = parseWorkerConfig(env)
      if ('badSettings' in parsed) return answerBadSettings(request, parsed.badSettings)
      warnOfMisspelt(env)
      app = createEdgeApp(createPlatform(parsed.config))
    }
    const answer = app.fetch(request, {}, context)
    // A client that leaves must not keep what was reserved for it from being given back.
    context.waitUntil(Promise.resolve(answer))
    return answer
  },
}

function createPlatform(config: WorkerConfig): Platform {
  const now = () => Date.now()
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
    async admitAddress(c) {
      // Set by Cloudflare's network, and by nobody where the Worker runs elsewhere.
      const address = c.req.header('cf-connecting-ip')
      if (address === undefined) return true
      const { success } = await config.ADDRESS_GUARD.limit({ key: networkOf(address) })
      return success
    },
    webBody: pumpedStream,
    relay: relayNatively,
    keepAlive: (c, work) => c.executionCtx.waitUntil(work),
    backend: pool.call,
    stickyByContent: config.BACKEND_AFFINITY === 'content' && config.backends.length > 1,
    answers: remoteAnswers(config.KEPT_ANSWERS),
    fetchPublic: (url, init) => fetch(url, init),
    imageHosts: { allowed: config.IMAGE_HOSTS_ALLOWED, denied: config.IMAGE_HOSTS_DENIED },
    log,
    now,
    wallClock,
    deadlineMs: config.DEADLINE_MS,
  }
}

function isLogged(level: LogLine['level'], threshold: WorkerConfig['LOG_LEVEL']): boolean {
  return logLevels.indexOf(level) >= logLevels.indexOf(threshold)
}

function warnOfMisspelt(env: unknown): void {
  for (const { name, meant } of misspeltVariables(env)) {
    writeWorkerLine({ level: 'warn', message: 'a variable that nobody reads', name, meant })
  }
}

function answerBadSettings(request: Request, settings: readonly BadSetting[]): Response {
  writeWorkerLine({
    level: 'error',
    message: 'These settings are missing or not valid',
    settings: settings.map(({ name }) => name).join(', '),
    detail: settings.map(({ name, reason }) => `${name}: ${reason}`).join('; '),
  })
  const error = new ServiceError('internal', 'This server is not configured correctly')
  return errorResponse(error, requestIdFrom(request.headers.get(requestIdHeader)))
}
