import { forwardHeaders } from '../../../shared/forward/headers.ts'
import { formatEndComment, formatUsage } from '../../../shared/forward/usage-comment.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'

// A backend without a model, in a process of its own that can be measured and killed. It answers at once, or at the
// pace given by the request's own fields: `max_tokens` pieces, `seed` milliseconds apart.

const { TLS_CERTIFICATES, NAME, PORT } = z
  .object({
    TLS_CERTIFICATES: z
      .string()
      .transform((text) => JSON.parse(text) as unknown)
      .pipe(z.object({ ca: z.string(), server: z.string(), serverKey: z.string() })),
    NAME: z.string().default('stub'),
    PORT: z.coerce.number().default(0),
  })
  .parse(process.env)

interface Pace {
  readonly pieces: number
  readonly gapMs: number
  readonly stream: boolean
}

const usage = { prompt_tokens: 7, image_tokens: 0, completion_tokens: 3 }

const server = createServer(
  {
    ca: TLS_CERTIFICATES.ca,
    cert: TLS_CERTIFICATES.server,
    key: TLS_CERTIFICATES.serverKey,
    requestCert: true,
    rejectUnauthorized: true,
  },
  (request, response) => {
    answer(request, response).catch(() => response.destroy())
  },
)
server.listen(PORT, '127.0.0.1', () => {
  process.send?.({ type: 'ready', port: (server.address() as AddressInfo).port })
})
process.on('disconnect', () => process.exit(0))

/** Requests in progress, reported on request together with the open connections. */
let running = 0
process.on('message', () => {
  server.getConnections((_error, connections) => process.send?.({ connections, running }))
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/health') return sendJson(response, { status: 'healthy' })
  running += 1
  response.once('close', () => (running -= 1))
  const { pieces, gapMs, stream } = paceOf(request, await readBody(request))
  if (!stream) {
    if (gapMs > 0) await delay(pieces * gapMs)
    const whole = { output: NAME, finish_reason: 'stop', usage, timings: {} }
    return sendJson(response, whole, { [forwardHeaders.usage]: formatUsage(usage) })
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  for (let piece = 0; piece < pieces; piece += 1) {
    if (gapMs > 0) await delay(gapMs)
    if (response.destroyed) return
    response.write(`event: delta\ndata: {"text":"${NAME} ${piece} "}\n\n`)
  }
  const end = { finish_reason: 'stop', usage, timings: {}, request_id: 'stub' }
  response.end(`event: end\ndata: ${JSON.stringify(end)}\n\n${formatEndComment(usage)}`)
}

/** Only JSON is kept; an upload is counted and discarded. */
async function readBody(request: IncomingMessage): Promise<string> {
  const isJson = request.headers['content-type']?.startsWith('application/json') === true
  const chunks: Buffer[] = []
  for await (const chunk of request) if (isJson) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function paceOf(request: IncomingMessage, json: string): Pace {
  const fields = (json === '' ? {} : JSON.parse(json)) as Record<string, unknown>
  return {
    pieces: Number(fields['max_tokens'] ?? 100),
    gapMs: Number(fields['seed'] ?? 0),
    stream: fields['stream'] === true || request.headers.accept === 'text/event-stream',
  }
}

function sendJson(
  response: ServerResponse,
  value: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = JSON.stringify(value)
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  })
  response.end(body)
}
