import type { IncomingMessage } from 'node:http'
import { maxJsonBytes } from '../../../shared/api/limits.ts'
import { parseJsonBytes } from '../../../shared/api/wire/parse-json.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { readBody } from './read-body.ts'

/** A JSON body. @throws {ServiceError} `invalid_json`, or as `readChunks` */
export async function readJson(incoming: IncomingMessage, exchange: Exchange): Promise<unknown> {
  return parseJsonBytes(await readBody(incoming, exchange, maxJsonBytes))
}
