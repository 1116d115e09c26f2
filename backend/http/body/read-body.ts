import type { IncomingMessage } from 'node:http'
import { ServiceError } from '../../../shared/api/errors.ts'
import { ChunkList } from '../../../shared/bytes/chunk-list.ts'
import { unlessAborted } from '../../../shared/async/unless-aborted.ts'
import type { Exchange } from '../exchange/exchange.ts'

/**
 * The request body as it arrives. It is rejected by its Content-Length when that is already too large, and counted
 * otherwise, since a chunked body states none. Leaving the loop keeps the request stream open, so that an answer can
 * still be sent.
 * @throws {ServiceError} `body_too_large`, `queue_full` when other bodies take up the memory, `cancelled` when the client leaves, or the exchange's abort reason
 */
export async function* readChunks(
  incoming: IncomingMessage,
  exchange: Exchange,
  maxBytes: number,
): AsyncGenerator<Buffer> {
  const statedBytes = Number(incoming.headers['content-length'] ?? 0)
  if (statedBytes > maxBytes) throw bodyTooLarge(`${statedBytes} bytes are`, maxBytes)

  const chunks = incoming.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>
  try {
    for (;;) {
      const result = await unlessAborted(chunks.next(), exchange.signal).catch(readFailure)
      if (result.done === true) return
      exchange.receive(result.value.length)
      if (exchange.facts.bytesIn > maxBytes) throw bodyTooLarge('it is', maxBytes)
      yield result.value
    }
  } finally {
    // An iterator left open would hold the stream: the rest of the upload could not be drained, and the connection's
    // next request would wait behind it. Not awaited, because a pending read ends in its own time.
    void chunks.return?.()
  }
}

/** The whole body. @throws {ServiceError} as `readChunks` */
export async function readBody(
  incoming: IncomingMessage,
  exchange: Exchange,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks = new ChunkList()
  for await (const chunk of readChunks(incoming, exchange, maxBytes)) chunks.push(chunk)
  return chunks.join()
}

function readFailure(cause: unknown): never {
  if (cause instanceof ServiceError) throw cause
  throw new ServiceError('cancelled', 'The client left before its request was complete', { cause })
}

function bodyTooLarge(what: string, maxBytes: number): ServiceError {
  const message = `Cannot read the request body: ${what} over the limit of ${maxBytes} bytes`
  return new ServiceError('body_too_large', message)
}
