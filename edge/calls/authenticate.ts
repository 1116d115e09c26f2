import { ServiceError } from '../../shared/api/errors.ts'
import type { Scope } from '../../shared/api/administration/scopes.ts'
import type { ApiKeys } from '../keys/api-keys.ts'
import type { KeyIdentity } from '../keys/key-record.ts'
import type { AddressWindow } from '../limits/address-window.ts'
import type { EdgeMiddleware } from './context.ts'

/**
 * Requests with an invalid key that one address may send in each window: far more than a client whose key has ended
 * needs to notice, and too few to flood a log.
 */
export const maxKeyFailures = 100
export const keyFailureWindowMs = 60_000

export interface KeyCheckParts {
  /** Verifies keys. */
  readonly keys: Pick<ApiKeys, 'verify'>
  /** Milliseconds, for measuring time spans. */
  readonly now: () => number
}

/**
 * Admits requests with a valid API key that has the scope `scope`, or any of several. After too many invalid keys, an
 * address gets 429 for all further ones until the window is over; its valid keys keep working, since another client may
 * share the address.
 * @param failures counts requests with invalid keys
 * @throws {ServiceError} `missing_api_key`, `invalid_api_key`, `revoked_api_key`, `expired_api_key`, `rate_limited`,
 *   `forbidden_scope`, `keys_unavailable`
 */
export function authenticate(
  { keys, now }: KeyCheckParts,
  scope: Scope | readonly Scope[],
  failures: AddressWindow,
): EdgeMiddleware {
  const wanted = typeof scope === 'string' ? [scope] : scope
  return async (c, next) => {
    const presented = presentedKey(c.req.raw.headers)
    if (presented === undefined) {
      const message = 'An API key is required, as X-API-Key or as Authorization: Bearer'
      throw new ServiceError('missing_api_key', message)
    }
    const { call } = c.var
    call.phases.enter('authenticate', call.arrivedAt)
    const key = await identify(keys, presented).catch((error: unknown) => {
      throw isKeyFailure(error) ? brakeOr(error, call.address, now(), failures) : error
    })
    call.key = key
    call.phases.enter('read', now())
    if (!wanted.some((each) => key.scopes.includes(each))) {
      throw new ServiceError(
        'forbidden_scope',
        `The API key lacks the scope ${wanted.join(' or ')}`,
      )
    }
    await next()
  }
}

function isKeyFailure(error: unknown): error is ServiceError {
  return error instanceof ServiceError && error.status === 401
}

function brakeOr(
  failure: ServiceError,
  address: string | undefined,
  now: number,
  failures: AddressWindow,
): ServiceError {
  if (address === undefined || failures.admit(address, now)) return failure
  const message = `This address has sent more than ${maxKeyFailures} invalid API keys within a minute`
  const retryAfterSeconds = failures.msLeft(now) / 1_000
  return new ServiceError('rate_limited', message, { retryAfterSeconds })
}

async function identify(keys: KeyCheckParts['keys'], presented: string): Promise<KeyIdentity> {
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

/** The key as the client sent it; `X-API-Key` takes precedence over `Authorization`. */
function presentedKey(headers: Headers): string | undefined {
  const ownHeader = headers.get('x-api-key')?.trim()
  if (ownHeader) return ownHeader
  const bearer = /^bearer +(\S+)$/i.exec(headers.get('authorization')?.trim() ?? '')
  return bearer?.[1]
}
