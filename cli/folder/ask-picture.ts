import * as z from 'zod'
import { errorKinds, ServiceError, type ErrorCode } from '../../shared/api/errors.ts'
import { routes } from '../../shared/api/routes.ts'
import { isEventStream } from '../../shared/api/wire/media-type.ts'
import { parseEvents } from '../../shared/api/wire/sse.ts'
import { formOf, type Question } from './question.ts'

export interface Server {
  readonly fetch: typeof fetch
  readonly url: URL
  readonly key: string
}

export interface Answer {
  readonly output: string
  readonly reasoning?: string
  readonly finish_reason: string
  readonly usage: Readonly<Record<string, number>>
  readonly request_id: string
}

/** The server's own error; with the id of the request, which finds it in the server's log. */
export class Refusal extends ServiceError {
  readonly requestId: string | undefined

  constructor(
    code: ErrorCode,
    message: string,
    details: ConstructorParameters<typeof ServiceError>[2] & { readonly requestId?: string } = {},
  ) {
    super(code, message, details)
    this.requestId = details.requestId
  }
}

const failure = z.object({
  error: z.object({ code: z.string(), message: z.string(), request_id: z.string().optional() }),
})
const text = z.object({ text: z.string() })
const end = z.object({
  finish_reason: z.string(),
  usage: z.record(z.string(), z.number()),
  request_id: z.string(),
})

/**
 * Asks the question about one picture.
 * @throws {Refusal} the server's error, or `backend_unavailable` when it cannot be reached or its answer breaks off
 * @throws the signal's reason once that is aborted
 */
export async function askPicture(
  { fetch: send, url, key }: Server,
  question: Question,
  picture: Buffer<ArrayBuffer>,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    const response = await send(new URL(routes.image.path, url), {
      method: 'POST',
      headers: { 'x-api-key': key, accept: 'text/event-stream' },
      body: formOf(question, picture),
      // A redirect would take the key elsewhere.
      redirect: 'error',
      signal,
    })
    const isAnswer = response.ok && isEventStream(response.headers.get('content-type'))
    if (!isAnswer || response.body === null) throw await refusalOf(response)
    return await readAnswer(response.body)
  } catch (cause) {
    if (cause instanceof Refusal) throw cause
    signal.throwIfAborted()
    throw new Refusal('backend_unavailable', `${url.origin} cannot be reached`, { cause })
  }
}

async function readAnswer(body: AsyncIterable<Uint8Array>): Promise<Answer> {
  let output = ''
  let reasoning = ''
  for await (const { event, data } of parseEvents(body)) {
    const value: unknown = JSON.parse(data)
    if (event === 'delta') output += text.parse(value).text
    else if (event === 'reasoning') reasoning += text.parse(value).text
    else if (event === 'error') throw toRefusal(failure.parse(value))
    else if (event === 'end')
      return { output, ...(reasoning && { reasoning }), ...end.parse(value) }
  }
  throw new Refusal('backend_unavailable', 'The answer broke off')
}

async function refusalOf(response: Response): Promise<Refusal> {
  const body = failure.safeParse(await response.json().catch(() => undefined))
  const seconds = Number(response.headers.get('retry-after') ?? NaN)
  if (body.success) return toRefusal(body.data, seconds)
  // A proxy's own page, for instance while what is behind it starts again.
  const code = response.status >= 500 ? 'backend_unavailable' : 'malformed_request'
  const message = `The server does not answer as a describe server: HTTP ${response.status}`
  return new Refusal(code, message)
}

function toRefusal({ error }: z.infer<typeof failure>, seconds = NaN): Refusal {
  const { code, message, request_id: requestId } = error
  return new Refusal(Object.hasOwn(errorKinds, code) ? (code as ErrorCode) : 'internal', message, {
    ...(requestId !== undefined && { requestId }),
    ...(Number.isFinite(seconds) && { retryAfterSeconds: seconds }),
  })
}
