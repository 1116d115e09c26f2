import type { ErrorBody } from '../../../../shared/api/errors.ts'
import { requestIdHeader } from '../../../../shared/api/wire/request-id.ts'
import { parseEvents, type StreamEvents } from '../../../../shared/api/wire/sse.ts'
import { AskFailure, brokenOff, foreignProblem, problemOf, unreachable } from './problem.ts'
import { type AskRequest, formValue } from './question.ts'

type AnswerEventName = Exclude<keyof StreamEvents, 'error'>

/** The events of a streamed answer, by the API's names. */
export type AnswerEvent = {
  [Name in AnswerEventName]: { readonly type: Name; readonly data: StreamEvents[Name] }
}[AnswerEventName]

/**
 * Sends a question and yields its answer as it arrives; `end` is the last event.
 * @throws {AskFailure} when there is no answer, or no complete one
 * @throws {DOMException} `AbortError` once the signal aborts
 */
export async function* sendQuestion(
  request: AskRequest,
  key: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent> {
  const response = await post(request, key, signal)
  if (!response.ok || response.body === null) throw new AskFailure(await problemIn(response))
  // Read past the last event: to the server, a client that stops earlier looks as if it had cancelled.
  let isComplete = false
  try {
    for await (const { event, data } of parseEvents(piecesOf(response.body))) {
      const parsed = JSON.parse(data) as unknown
      if (event === 'error') throw new AskFailure(problemOf(parsed as ErrorBody))
      yield { type: event, data: parsed } as AnswerEvent
      isComplete = event === 'end'
    }
  } catch (error) {
    // The types of a stream's own failures differ between browsers.
    if (error instanceof AskFailure || signal.aborted) throw error
  }
  if (!isComplete) throw new AskFailure({ ...brokenOff, requestId: requestIdOf(response) })
}

async function post(
  request: AskRequest,
  key: string | undefined,
  signal: AbortSignal,
): Promise<Response> {
  const isJson = request.kind === 'json'
  const headers = {
    accept: 'text/event-stream',
    ...(isJson && { 'content-type': 'application/json' }),
    ...(key !== undefined && { 'x-api-key': key }),
  }
  const body = isJson ? JSON.stringify(request.fields) : formOf(request.fields, request.files)
  try {
    return await fetch(request.path, { method: 'POST', headers, body, signal })
  } catch (error) {
    if (signal.aborted) throw error
    throw new AskFailure(unreachable(navigator.onLine))
  }
}

function formOf(fields: Readonly<Record<string, unknown>>, files: readonly File[]): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, formValue(value))
  for (const file of files) form.append('images', file, file.name)
  return form
}

async function problemIn(response: Response) {
  try {
    const body = (await response.json()) as ErrorBody
    return problemOf(body, response.headers.get('retry-after'))
  } catch {
    return { ...foreignProblem(response.status), requestId: requestIdOf(response) }
  }
}

/** Undefined where the answer does not come from the API. */
function requestIdOf({ headers }: Response): string | undefined {
  return headers.get(requestIdHeader) ?? undefined
}

/** Not every browser can iterate over a body. */
async function* piecesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}
