import { WorkerEntrypoint } from 'cloudflare:workers'
import type { Hono } from 'hono'
import { errorResponse, ServiceError } from '../../shared/api/errors.ts'
import { requestIdFrom, requestIdHeader } from '../../shared/api/wire/request-id.ts'
import { createEdgeApp } from '../app.ts'
import type { EdgeEnv } from '../calls/context.ts'
import { equalText } from '../keys/key-format.ts'
import { type BadSetting, misspeltVariables, parseWorkerConfig } from './config.ts'
import { createPlatform } from './create-platform.ts'
import { writeWorkerLine } from './log.ts'
import { RunningRequests } from './running-requests.ts'

export { AnswerRegisterObject } from './objects/answer-register-object.ts'
export { KeyAuthority } from './objects/key-authority.ts'
export { KeyMeterObject } from './objects/key-meter-object.ts'

/** Created by the first request of an isolate: bindings arrive with it and stay the same. */
let app: Hono<EdgeEnv> | undefined

const running = new RunningRequests()

export default {
  async fetch(request: Request, env: unknown, context: ExecutionContext): Promise<Response> {
    if (app === undefined) {
      const parsed = parseWorkerConfig(env)
      if ('badSettings' in parsed) return answerBadSettings(request, parsed.badSettings)
      warnOfMisspelt(env)
      app = createEdgeApp(createPlatform(parsed.config, running))
    }
    const answer = Promise.resolve(app.fetch(request, {}, context))
    // When a client leaves, what was reserved for it must still be given back.
    context.waitUntil(answer)
    running.hold(answer)
    return answer
  },
}

/**
 * Called by the launcher of a workerd on this machine to let this isolate end; no deployment routes anything here.
 * `?ms=` sets how long running requests may take. Answers once nothing runs any more.
 */
export class Stop extends WorkerEntrypoint<{ readonly API_KEY: string }> {
  override async fetch(request: Request): Promise<Response> {
    const isOurs = equalText(request.headers.get('x-api-key') ?? '', this.env.API_KEY)
    if (!isOurs) return new Response(null, { status: 401 })
    await running.drain(Number(new URL(request.url).searchParams.get('ms')))
    return new Response(null, { status: 204 })
  }
}

function warnOfMisspelt(env: unknown): void {
  for (const { name, meant } of misspeltVariables(env)) {
    writeWorkerLine({ level: 'warn', message: 'a variable that nothing reads', name, meant })
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
