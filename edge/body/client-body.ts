import { ServiceError } from '../../shared/api/errors.ts'
import { ByteBudget } from '../../shared/bytes/byte-budget.ts'
import { readLimited } from '../../shared/bytes/read-limited.ts'
import type { BackendBody } from '../backends/exchange.ts'
import type { EdgeContext } from '../calls/context.ts'
import type { ForwardedMessage } from '../calls/forward.ts'
import { piecesOf, type WebBody } from './web-pieces.ts'

/** A client's body on its way through. */
export interface ClientBody {
  /** The whole body, or pieces, each of which becomes invalid when the next one is requested. */
  readonly stream: Uint8Array | AsyncGenerator<Uint8Array>
  /** As declared; undefined for a chunked body. */
  readonly length: number | undefined
  /** The client's error if it is to blame for a broken stream. */
  readonly failure: () => ServiceError | undefined
}

/**
 * The body, to be passed on without being held. A declared length is checked here and enforced by the HTTP layer; a
 * chunked body is counted as it flows. Pieces pass through this code even if nothing inspects them: a Worker that
 * forwards an untouched body learns that the call failed, but not whether the client or the backend is to blame.
 * @throws {ServiceError} `body_too_large`
 */
export function passClientBody(c: EdgeContext, maxBytes: number): ClientBody {
  const { heldBody: held } = c.var.call
  if (held !== undefined) return heldBody(held)
  const length = declaredLength(c, maxBytes)
  const budget = new ByteBudget(maxBytes)
  let left = false
  const onClientLeft = () => {
    left = true
  }
  return {
    stream: countChunks(rawPieces(c), budget, onClientLeft),
    length,
    failure() {
      if (budget.exceeded) return tooLarge('it is', maxBytes)
      return left ? clientLeft() : undefined
    },
  }
}

/** A body that was already read. */
export function heldBody(bytes: Uint8Array): ClientBody {
  return { stream: bytes, length: bytes.byteLength, failure: () => undefined }
}

/** The part of a message that passes on a client's body. */
export function passedOn(
  c: EdgeContext,
  body: ClientBody,
  webBody: WebBody,
): Pick<ForwardedMessage, 'body' | 'contentLength' | 'bodyFailure'> {
  return {
    body: sendable(c, body, webBody),
    contentLength: body.length,
    bodyFailure: body.failure,
  }
}

/** In the form the platform sends: a Worker can only send web streams. */
function sendable(c: EdgeContext, { stream, length }: ClientBody, webBody: WebBody): BackendBody {
  const isSendable = stream instanceof Uint8Array || c.env?.incoming !== undefined
  return isSendable ? stream : webBody(stream, length)
}

/** The whole body. @throws {ServiceError} `body_too_large`, `cancelled` when the client left */
export async function readClientBody(c: EdgeContext, maxBytes: number): Promise<Uint8Array> {
  if (isLittleOver(c, maxBytes)) await discardBody(c)
  const length = declaredLength(c, maxBytes)
  const { heldBody: held } = c.var.call
  if (held !== undefined) return withinLimit(held, maxBytes)
  const read = length === undefined ? readUndeclared(c, maxBytes) : c.req.raw.arrayBuffer()
  const bytes = await read.catch((cause: unknown) => {
    throw clientLeft(cause)
  })
  if (bytes === undefined) throw tooLarge('it is', maxBytes)
  return withinLimit(new Uint8Array(bytes), maxBytes)
}

/** Whether a body's declared length exceeds the limit by no more than the limit itself. */
function isLittleOver(c: EdgeContext, maxBytes: number): boolean {
  const length = Number(c.req.header('content-length') ?? 0)
  return c.var.call.heldBody === undefined && length > maxBytes && length <= 2 * maxBytes
}

/**
 * Reads and discards an unwanted body: workerd resets a connection if its client is still sending after the answer,
 * and a client whose write fails never reads the reason.
 */
async function discardBody(c: EdgeContext): Promise<void> {
  try {
    for await (const piece of rawPieces(c)) void piece
  } catch (cause) {
    throw clientLeft(cause)
  }
}

function readUndeclared(c: EdgeContext, maxBytes: number): Promise<Uint8Array | undefined> {
  return readLimited(rawStream(c), new ByteBudget(maxBytes), c.req.raw.signal)
}

function withinLimit(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (bytes.byteLength > maxBytes) throw tooLarge(`${bytes.byteLength} bytes are`, maxBytes)
  return bytes
}

function declaredLength(c: EdgeContext, maxBytes: number): number | undefined {
  const header = c.req.header('content-length')
  if (header === undefined) return undefined
  const length = Number(header)
  if (length > maxBytes) throw tooLarge(`${header} bytes are`, maxBytes)
  return length
}

function rawStream(c: EdgeContext): AsyncIterable<Uint8Array> {
  // Stays open when reading stops early, so that the error can still be answered.
  return c.env?.incoming?.iterator({ destroyOnReturn: false }) ?? c.req.raw.body ?? emptyStream()
}

async function* emptyStream(): AsyncGenerator<Uint8Array> {}

function rawPieces(c: EdgeContext): AsyncIterable<Uint8Array> {
  const raw = rawStream(c)
  return raw instanceof ReadableStream ? piecesOf(raw as ReadableStream<Uint8Array>) : raw
}

async function* countChunks(
  source: AsyncIterable<Uint8Array>,
  budget: ByteBudget,
  onClientLeft: () => void,
): AsyncGenerator<Uint8Array> {
  let ended = false
  let overBudget = false
  try {
    for await (const chunk of source) {
      overBudget = !budget.take(chunk.byteLength)
      if (overBudget) throw new RangeError('The body is over its limit')
      yield chunk
    }
    ended = true
  } catch (error) {
    if (!ended && !overBudget) onClientLeft()
    throw error
  }
}

function tooLarge(what: string, maxBytes: number): ServiceError {
  const message = `Cannot read the request body: ${what} over the limit of ${maxBytes} bytes`
  return new ServiceError('body_too_large', message)
}

export function clientLeft(cause?: unknown): ServiceError {
  const message = 'The client left before its request was complete'
  return new ServiceError('cancelled', message, { cause })
}
