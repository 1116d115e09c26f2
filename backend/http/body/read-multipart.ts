import type { IncomingMessage } from 'node:http'
import { maxUploadBytes } from '../../../shared/api/limits.ts'
import { FormReader, type MultipartForm } from '../../../shared/multipart/form-reader.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { readChunks } from './read-body.ts'

/** A multipart body, parsed as it arrives. Parameters and errors as in `FormReader`, or as `readChunks` */
export async function readMultipart(
  incoming: IncomingMessage,
  exchange: Exchange,
  fileFields: ReadonlySet<string>,
): Promise<MultipartForm> {
  const reader = new FormReader(incoming.headers['content-type'], fileFields)
  for await (const chunk of readChunks(incoming, exchange, maxUploadBytes)) reader.push(chunk)
  return reader.end()
}
