import type { Hono } from 'hono'
import { errorResponse, ServiceError } from '../shared/api/errors.ts'
import { requestIdFrom, requestIdHeader } from '../shared/api/request-id.ts'
import { createEdgeApp } from './app.ts'
import { singleApiKey } from './keys/api-keys.ts'
import type { EdgeEnv, LogLine, Platform } from './platform.ts'
import { parseWorkerConfig, type WorkerConfig } from './worker-config.ts'

/** Made by the first request of an isolate: bindings arrive with it and stay the same. */
let app: Hono<EdgeEnv> | undefined

export default {
  async fetch(request: Request, env: unknown): Promise<Response> {
    if (app === undefined) {
      const parsed = parseWorkerConfig(env)
      if ('badSettings' in parsed) return answerBadSettings(request, parsed.badSettings)
      app = createEdgeApp(createPlatform(parsed.config))
    }
    return app.fetch(request)
  },
}

function createPlatform(config: WorkerConfig): Platform {
  return {
    keys: singleApiKey(config.API_KEY),
    backend: (path, { body, ...init }) =>
      config.BACKEND.fetch(new URL(path, config.BACKEND_URL).href, {
        ...init,
        ...(body === undefined ? {} : { body: body as BodyInit }),
        redirect: 'manual',
      }),
    fetchPublic: (url, init) => fetch(url, init),
    log: (line) => {
      if (isLogged(line.level, config.LOG_LEVEL)) log(line)
    },
    now: () => Date.now(),
    deadlineMs: config.DEADLINE_MS,
  }
}

function isLogged(level: LogLine['level'], threshold: WorkerConfig['LOG_LEVEL']): boolean {
  return level === 'error' ? threshold !== 'silent' : ['debug', 'info'].includes(threshold)
}

function log(line: LogLine): void {
  // oxlint-disable-next-line no-console -- where a Worker's log lines go
  console.log(JSON.stringify(line))
}

function answerBadSettings(request: Request, settings: readonly string[]): Response {
  log({
    level: 'error',
    message: 'These settings are missing or not valid',
    settings: settings.join(', '),
  })
  const error = new ServiceError('internal', 'This server is not configured correctly')
  return errorResponse(error, requestIdFrom(request.headers.get(requestIdHeader)))
}
