import { isEventStream } from '../../shared/api/media-type.ts'
import type { KeptAnswer } from './idempotency-store.ts'

/** Bytes of the longest answer kept: some 20,000 streamed tokens, and what a row of a Durable Object may hold. */
const maxKeptBytes = 1024 * 1024

/**
 * Relays an answer and keeps a copy. It is read to its end even when its reader leaves: the copy is what the reader will
 * ask for when it comes back.
 * @returns the answer to send, and what was kept: undefined when it failed, or is too long
 */
export function recordAnswer(answer: Response): {
  readonly response: Response
  readonly kept: Promise<KeptAnswer | undefined>
} {
  const body: ReadableStream<Uint8Array> | null = answer.body
  if (body === null || answer.status !== 200) {
    return { response: answer, kept: Promise.resolve(undefined) }
  }
  let client: ReadableStreamDefaultController<Uint8Array> | undefined
  const relayed = new ReadableStream<Uint8Array>({
    start: (controller) => {
      client = controller
    },
    cancel: () => {
      client = undefined
    },
  })
  const contentType = answer.headers.get('content-type') ?? 'application/json'
  const kept = readAll(body, (chunk) => client?.enqueue(chunk)).then(
    (text) => {
      client?.close()
      const isKept = text !== undefined && !endedWithError(contentType, text)
      return isKept ? { contentType, body: text } : undefined
    },
    (error: unknown) => {
      client?.error(error)
      return undefined
    },
  )
  return { response: new Response(relayed, answer), kept }
}

/** @returns undefined when it is too long */
async function readAll(
  body: ReadableStream<Uint8Array>,
  pass: (chunk: Uint8Array) => void,
): Promise<string | undefined> {
  const decoder = new TextDecoder()
  const reader = body.getReader()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return bytes > maxKeptBytes ? undefined : text + decoder.decode()
    bytes += value.byteLength
    if (bytes <= maxKeptBytes) text += decoder.decode(value, { stream: true })
    pass(value)
  }
}

/** Inside the data of an event there is no raw line break, so that no answer can be mistaken for an error. */
function endedWithError(contentType: string, text: string): boolean {
  return isEventStream(contentType) && /^event: error$/m.test(text)
}
