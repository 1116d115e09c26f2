import { ServiceError } from '../../shared/api/errors.ts'
import type { EdgeMiddleware } from '../platform.ts'
import type { ApiKeys } from './api-keys.ts'

/** Lets requests with a valid API key pass. @throws {ServiceError} `missing_api_key`, `invalid_api_key` */
export function authenticate(keys: ApiKeys): EdgeMiddleware {
  return async (c, next) => {
    const presented = presentedKey(c.req.raw.headers)
    if (presented === undefined) {
      const message = 'An API key is required, as X-API-Key or as Authorization: Bearer'
      throw new ServiceError('missing_api_key', message)
    }
    const record = await keys.verify(presented)
    if (record === undefined) throw new ServiceError('invalid_api_key', 'The API key is not valid')
    c.set('keyId', record.id)
    await next()
  }
}

/** The key as the client sent it; `X-API-Key` wins over `Authorization`. */
function presentedKey(headers: Headers): string | undefined {
  const ownHeader = headers.get('x-api-key')?.trim()
  if (ownHeader) return ownHeader
  const bearer = /^bearer +(\S+)$/i.exec(headers.get('authorization')?.trim() ?? '')
  return bearer?.[1]
}
