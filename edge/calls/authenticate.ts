import { ServiceError } from '../../shared/api/errors.ts'
import type { Scope } from '../../shared/api/scopes.ts'
import type { ApiKeys } from '../keys/api-keys.ts'
import type { KeyIdentity } from '../keys/key-record.ts'
import type { EdgeMiddleware } from './context.ts'

/**
 * Lets requests with a valid API key that is allowed `scope` pass.
 * @throws {ServiceError} `missing_api_key`, `invalid_api_key`, `revoked_api_key`, `expired_api_key`,
 *   `forbidden_scope`, `keys_unavailable`
 */
export function authenticate(keys: ApiKeys, scope: Scope): EdgeMiddleware {
  return async (c, next) => {
    const presented = presentedKey(c.req.raw.headers)
    if (presented === undefined) {
      const message = 'An API key is required, as X-API-Key or as Authorization: Bearer'
      throw new ServiceError('missing_api_key', message)
    }
    const key = await identify(keys, presented)
    c.var.call.key = key
    if (!key.scopes.includes(scope)) {
      throw new ServiceError('forbidden_scope', `The API key lacks the scope ${scope}`)
    }
    await next()
  }
}

async function identify(keys: ApiKeys, presented: string): Promise<KeyIdentity> {
  const verdict = await keys.verify(presented)
  if ('key' in verdict) return verdict.key
  switch (verdict.refused) {
    case 'unknown':
      throw new ServiceError('invalid_api_key', 'The API key is not valid')
    case 'revoked':
      throw new ServiceError('revoked_api_key', 'The API key has been revoked')
    case 'expired':
      throw new ServiceError('expired_api_key', 'The API key has expired')
    case 'rotated':
      throw new ServiceError('expired_api_key', 'The API key has been replaced by a newer one')
  }
}

/** The key as the client sent it; `X-API-Key` wins over `Authorization`. */
function presentedKey(headers: Headers): string | undefined {
  const ownHeader = headers.get('x-api-key')?.trim()
  if (ownHeader) return ownHeader
  const bearer = /^bearer +(\S+)$/i.exec(headers.get('authorization')?.trim() ?? '')
  return bearer?.[1]
}
