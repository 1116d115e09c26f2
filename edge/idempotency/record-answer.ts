import { isEventStream } from '../../shared/api/wire/media-type.ts'
import { failedCommentCode } from '../../shared/forward/usage-comment.ts'
import type { HeldAnswer } from '../backends/exchange.ts'
import type { Outcome } from './idempotency-store.ts'

/** Bytes of the longest kept answer: about 20,000 streamed tokens, and what a row of a Durable Object can hold. */
export const maxKeptBytes = 1024 * 1024

/**
 * Relays an answer and keeps a copy. It is read to its end even if its client leaves, because the copy is what that
 * client will ask for on its return. Once an answer proves too long to be kept, or there is no memory for its copy, it
 * is only passed on, at its reader's pace, and ends when its reader leaves.
 * @param held counts the copy, until the client has taken its answer
 * @returns the answer to send, and a promise of how the run ended
 */
export function recordAnswer(
  answer: Response,
  held: HeldAnswer | undefined,
): {
  readonly response: Response
  readonly ended: Promise<Outcome>
} {
  const body: ReadableStream<Uint8Array> | null = answer.body
  if (body === null || answer.status !== 200) {
    return { response: answer, ended: Promise.resolve({ kind: 'failed' }) }
  }
  const client = new Client()
  const contentType = answer.headers.get('content-type') ?? 'application/json'
  const ended = pass(body, client, held).then(
    (text): Outcome => {
      void client.end().then(held?.release)
      if (text === undefined) return { kind: 'too_long' }
      if (isEventStream(contentType) && failedCommentCode(text) !== undefined)
        return { kind: 'failed' }
      return { kind: 'answered', answer: { contentType, body: text } }
    },
    (error: unknown): Outcome => {
      client.fail(error)
      held?.release()
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

  /** Ends the answer once everything was taken, or the client has left. */
  async end(): Promise<void> {
    await this.taken()
    this.#controller?.close()
  }

  fail(error: unknown): void {
    this.#controller?.error(error)
  }
}

/**
 * @returns the text; undefined when it is not kept. @throws when it breaks off, or when the client of one that is
 * not kept leaves
 */
async function pass(
  body: ReadableStream<Uint8Array>,
  client: Client,
  held: HeldAnswer | undefined,
): Promise<string | undefined> {
  const decoder = new TextDecoder()
  const reader = body.getReader()
  let text: string | undefined = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text === undefined ? undefined : text + decoder.decode()
    bytes += value.byteLength
    client.send(value)
    const isKept: boolean =
      text !== undefined && bytes <= maxKeptBytes && hasRoom(held, value.byteLength)
    text = isKept ? text + decoder.decode(value, { stream: true }) : undefined
    if (text !== undefined) continue
    await client.taken()
    if (!client.hasLeft) continue
    reader.cancel().catch(() => undefined)
    throw new Error('The client left')
  }
}

function hasRoom(held: HeldAnswer | undefined, bytes: number): boolean {
  try {
    held?.add(bytes)
    return true
  } catch {
    return false
  }
}
