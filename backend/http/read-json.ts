import type { IncomingMessage } from 'node:http'
import { ServiceError } from '../../shared/api/errors.ts'
import { maxJsonBytes } from '../../shared/api/limits.ts'
import { parseJson } from '../../shared/api/request.ts'
import type { Exchange } from './exchange.ts'
import { readBody } from './read-body.ts'

/** A JSON body. @throws {ServiceError} `invalid_json`, or as `readChunks` */
export async function readJson(incoming: IncomingMessage, exchange: Exchange): Promise<unknown> {
  return parseJson(decodeUtf8(await readBody(incoming, exchange, maxJsonBytes)))
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new ServiceError('invalid_json', 'The request body is not valid UTF-8', { cause })
  }
}
