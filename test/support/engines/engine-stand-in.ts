import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { misbehave, type Misbehaviour } from './misbehaviour.ts'
import { refusalOf } from './refuse-request.ts'
import { streamAnswer } from './stream-answer.ts'
import type { AnswerSource, ChatBody, StandInKind } from './wire.ts'
import { scriptedAnswer } from './scripted-answer.ts'

interface StandInOptions {
  readonly kind: StandInKind
  readonly model?: string
  /** Further names of the model; it answers by the first one, as vLLM. */
  readonly aliases?: readonly string[]
  readonly contextTokens?: number
  /** Needed by every request under /v1, as vLLM's. */
  readonly apiKey?: string
  /** Answers generated at a time, as llama-server and SGLang say. */
  readonly slots?: number
  readonly version?: string
  /** SGLang's mode in which seeds count. */
  readonly deterministic?: boolean
  /** 0 takes any. */
  readonly port?: number
  readonly answer?: AnswerSource
}

/** A server with an engine's API. What it generates comes from elsewhere; how it misbehaves, from a test. */
export interface EngineStandIn {
  readonly url: string
  readonly port: number
  /** Bodies of all requests for answers, in order. */
  readonly bodies: ChatBody[]
  /** Answers under way, requests whose client left before the end, and answers that were given to the end. */
  running: number
  left: number
  whole: number
  /** The load of other clients, for its metrics. */
  others: { running: number; waiting: number }
  /** What it does wrong, until it is set back. */
  wrong: Misbehaviour | undefined
  isHealthy: boolean
  stop(): Promise<void>
}

const owners = { vllm: 'vllm', sglang: 'sglang', 'llama-server': 'llamacpp', other: 'somebody' }

export async function startEngineStandIn(options: StandInOptions): Promise<EngineStandIn> {
  const { kind, model = 'kimi-vl', aliases = [], apiKey, answer = scriptedAnswer } = options
  const server = createServer((request, response) => {
    // A client that leaves is no error of a server.
    response.on('error', () => {})
    void handle(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => {
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const standIn: EngineStandIn = {
    url: `http://127.0.0.1:${port}`,
    port,
    bodies: [],
    running: 0,
    left: 0,
    whole: 0,
    others: { running: 0, waiting: 0 },
    wrong: undefined,
    isHealthy: true,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url!, 'http://unused').pathname
    if (path.startsWith('/v1/') && apiKey !== undefined) {
      if (request.headers.authorization !== `Bearer ${apiKey}`) {
        return json(response, { error: { message: 'Unauthorized', type: 'Unauthorized' } }, 401)
      }
    }
    if (path === '/v1/chat/completions') return complete(request, response)
    const found = pages()[path]
    if (found === undefined) return json(response, { detail: 'Not Found' }, 404)
    if (typeof found === 'string') response.end(found)
    else json(response, found, path === '/health' && !standIn.isHealthy ? 503 : 200)
  }

  function pages(): Readonly<Record<string, object | string>> {
    const { slots = 32, version = '0.32.0', contextTokens = 32_768, deterministic } = options
    const listed = (id: string) => ({
      id,
      object: 'model',
      owned_by: owners[kind],
      max_model_len: contextTokens,
    })
    const own = {
      vllm: {
        '/version': { version },
        '/metrics': metrics('vllm:num_requests_running', 'vllm:num_requests_waiting'),
      },
      sglang: {
        '/server_info': {
          version,
          max_running_requests: slots,
          enable_deterministic_inference: deterministic ?? false,
        },
        '/metrics': metrics('sglang:num_running_reqs', 'sglang:num_queue_reqs'),
      },
      'llama-server': {
        '/props': {
          build_info: version,
          total_slots: slots,
          default_generation_settings: { n_ctx: contextTokens },
        },
        '/metrics': `llamacpp:requests_processing ${load().running}\nllamacpp:requests_deferred ${load().waiting}\n`,
      },
      other: {},
    }
    return {
      '/v1/models': { object: 'list', data: [model, ...aliases].map(listed) },
      '/health': {},
      ...own[kind],
    }
  }

  function load() {
    const { running, waiting } = standIn.others
    return { running: standIn.running + running, waiting }
  }

  function metrics(running: string, waiting: string): string {
    const labels = `{engine="0",model_name="${model}"}`
    return [
      `# TYPE ${running} gauge`,
      `${running}${labels} ${load().running}.0`,
      `${running}_by_kind{model_name="x y"} 99.0`,
      `${waiting}${labels} ${load().waiting}.0`,
      '',
    ].join('\n')
  }

  async function complete(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(await textOf(request)) as ChatBody
    standIn.bodies.push(body)
    const leave = new AbortController()
    response.on('close', () => {
      standIn.running -= 1
      if (response.writableFinished) standIn.whole += 1
      else standIn.left += 1
      leave.abort()
    })
    standIn.running += 1
    const refusal = refusalOf(kind, [model, ...aliases], body)
    if (refusal !== undefined) return json(response, { error: refusal }, refusal.code)
    const chunks = streamAnswer(kind, model, body, answer(body, leave.signal))
    await misbehave(standIn.wrong, response, chunks)
  }

  return standIn
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request as AsyncIterable<Uint8Array>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

function json(response: ServerResponse, value: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
