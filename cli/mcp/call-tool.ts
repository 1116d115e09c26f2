import * as z from 'zod'
import { errorKinds, ServiceError, type ErrorCode } from '../../shared/api/errors.ts'
import { seen, type Seen } from '../../shared/api/mcp/tools.ts'
import { parseEvents } from '../../shared/api/wire/sse.ts'
import { isEventStream } from '../../shared/api/wire/media-type.ts'

interface Server {
  readonly fetch: typeof fetch
  /** The URL of its route `/mcp`. */
  readonly url: URL
  readonly key: string
}

interface Call {
  readonly name: string
  readonly given: Readonly<Record<string, unknown>>
  /** Aborted when the agent cancels. */
  readonly signal: AbortSignal
}

const result = z.object({
  structuredContent: seen.optional(),
  isError: z.boolean().optional(),
  content: z.array(z.object({ type: z.string(), text: z.string().optional() })),
})

const answer = z.union([
  z.object({ id: z.number(), result }),
  z.object({
    error: z.object({
      message: z.string(),
      data: z.object({ code: z.string(), retry_after: z.number().optional() }).optional(),
    }),
  }),
])

/** The last version of the protocol whose calls need neither extra headers nor `_meta`. */
const version = '2025-11-25'

/** Calls a tool of the server. @throws {ServiceError} the server's own error, or `backend_unavailable` */
export async function callTool({ fetch: send, url, key }: Server, call: Call): Promise<Seen> {
  const params = { name: call.name, arguments: call.given }
  const response = await send(url, {
    method: 'POST',
    headers: {
      'x-api-key': key,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': version,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
    // A redirect would take the key elsewhere.
    redirect: 'error',
    signal: call.signal,
  }).catch((cause: unknown) => {
    throw new ServiceError(
      'backend_unavailable',
      `Cannot reach ${url.origin}: is it running, and is DESCRIBE_URL right?`,
      { cause },
    )
  })
  for await (const message of messagesOf(response)) {
    const parsed = answer.safeParse(message)
    if (parsed.success) return seenOf(parsed.data)
  }
  throw new ServiceError(
    'backend_unavailable',
    `${url.origin} does not answer as a describe server: HTTP ${response.status}`,
  )
}

async function* messagesOf(response: Response): AsyncGenerator {
  if (response.body === null) return
  if (!isEventStream(response.headers.get('content-type'))) {
    yield await response.json().catch(() => undefined)
    return
  }
  for await (const { data } of parseEvents(response.body)) yield jsonOf(data)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function seenOf(given: z.infer<typeof answer>): Seen {
  if ('error' in given) {
    const { message, data } = given.error
    throw failure(data?.code, message)
  }
  const { structuredContent, content } = given.result
  if (structuredContent !== undefined) return structuredContent
  const text = content[0]?.text ?? 'The server gave no answer'
  const [, code, message] = /^(\w+): ([^]*)$/.exec(text) ?? []
  throw failure(code, message ?? text)
}

function failure(code: string | undefined, message: string): ServiceError {
  return code !== undefined && isErrorCode(code)
    ? new ServiceError(code, message)
    : new ServiceError('invalid_field', message)
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorKinds, code)
}
