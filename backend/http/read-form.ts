import type { IncomingMessage } from 'node:http'
import { maxJsonBytes } from '../../shared/api/limits.ts'
import { formToObject } from '../../shared/api/request.ts'
import type { Exchange } from './exchange.ts'
import { readBody } from './read-body.ts'
import { readMultipart } from './read-multipart.ts'

/** How clients spell the field that may be sent several times. */
const urlFieldNames: ReadonlySet<string> = new Set(['image_url', 'image_url[]'])

/** A URL-encoded form with one or several `image_url`, as the object a JSON client would have sent. */
export async function readUrlForm(incoming: IncomingMessage, exchange: Exchange): Promise<unknown> {
  const body = await readBody(incoming, exchange, maxJsonBytes)
  return toObject(new URLSearchParams(body.toString('utf8')))
}

/** The same as multipart; a file in it is refused. @throws {ServiceError} as `readMultipart` */
export async function readTextMultipart(
  incoming: IncomingMessage,
  exchange: Exchange,
): Promise<unknown> {
  const { fields } = await readMultipart(incoming, exchange, { fileFields: new Set() })
  return toObject(fields)
}

function toObject(fields: Iterable<readonly [string, string]>): Record<string, unknown> {
  return formToObject(
    Array.from(fields, ([name, value]) => [urlFieldNames.has(name) ? 'image_url' : name, value]),
  )
}
