import type { IncomingMessage } from 'node:http'
import { formToObject, parseUrlForm } from '../../../shared/api/request/form.ts'
import { maxJsonBytes } from '../../../shared/api/limits.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { readBody } from './read-body.ts'
import { readMultipart } from './read-multipart.ts'

/** A URL-encoded form with one or several `image_url`, as the object a JSON client would have sent. */
export async function readUrlForm(incoming: IncomingMessage, exchange: Exchange): Promise<unknown> {
  const body = await readBody(incoming, exchange, maxJsonBytes)
  return formToObject(parseUrlForm(body))
}

/** The same as multipart; a file in it is rejected. @throws {ServiceError} as `readMultipart` */
export async function readTextMultipart(
  incoming: IncomingMessage,
  exchange: Exchange,
): Promise<unknown> {
  const { fields } = await readMultipart(incoming, exchange, new Set())
  return formToObject(fields)
}
