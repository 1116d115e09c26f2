import { isEventStream } from '../../shared/api/media-type.ts'
import { failedCommentCode } from '../../shared/forward/usage-comment.ts'
import type { Outcome } from './idempotency-store.ts'

/** Bytes of the longest kept answer: about 20,000 streamed tokens, and what a row of a Durable Object can hold. */
export const maxKeptBytes = 1024 * 1024

/**
 * Relays an answer and keeps a copy. It is read to its end even if its client leaves, because the copy is what that
 * client will ask for on its return. Once an answer proves too long to be kept, it is only passed on, at its reader's
 * pace, and ends when its reader leaves.
 * @returns the answer to send, and a promise of how the run ended
 */
export function recordAnswer(answer: Response): {
  readonly response: Response
  readonly ended: Promise<Outcome>
} {
  const body: ReadableStream<Uint8Array> | null = answer.body
  if (body === null || answer.status !== 200) {
    return { response: answer, ended: Promise.resolve({ kind: 'failed' }) }
  }
  const client = new Client()
  const contentType = answer.headers.get('content-type') ?? 'application/json'
  const ended = pass(body, client).then(
    (text): Outcome => {
      client.close()
      if (text === undefined) return { kind: 'too_long' }
      if (isEventStream(contentType) && failedCommentCode(text) !== undefined)
        return { kind: 'failed' }
      return { kind: 'answered', answer: { contentType, body: text } }
    },
    (error: unknown): Outcome => {
      client.fail(error)
      return { kind: 'failed' }
    },
  )
  return { response: new Response(client.stream, answer), ended }
}

/** The reader of the answer, as long as it reads. */
class Client {
  readonly stream: ReadableStream<Uint8Array>
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #wake: () => void = () => undefined

  constructor() {
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: () => this.#wake(),
        cancel: () => {
          this.#controller = undefined
          this.#wake()
        },
      },
      { highWaterMark: 0 },
    )
  }

  get hasLeft(): boolean {
    return this.#controller === undefined
  }

  send(chunk: Uint8Array): void {
    this.#controller?.enqueue(chunk)
  }

  /** Resolves when everything sent so far has been taken, or the client has left. */
  async taken(): Promise<void> {
    while ((this.#controller?.desiredSize ?? 0) < 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  close(): void {
    this.#controller?.close()
  }

  fail(error: unknown): void {
    this.#controller?.error(error)
  }
}

/**
 * @returns the text; undefined when it is too long. @throws when it breaks off, or when the client of one that is too
 * long leaves
 */
async function pass(body: ReadableStream<Uint8Array>, client: Client): Promise<string | undefined> {
  const decoder = new TextDecoder()
  const reader = body.getReader()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return bytes > maxKeptBytes ? undefined : text + decoder.decode()
    bytes += value.byteLength
    client.send(value)
    if (bytes <= maxKeptBytes) {
      text += decoder.decode(value, { stream: true })
      continue
    }
    text = ''
    await client.taken()
    if (!client.hasLeft) continue
    reader.cancel().catch(() => undefined)
    throw new Error('The client left')
  }
}
