import { ServiceError } from '../../shared/api/errors.ts'
import type { Scope } from '../../shared/api/scopes.ts'
import type { ApiKeys } from '../keys/api-keys.ts'
import type { KeyIdentity } from '../keys/key-record.ts'
import type { AddressWindow } from '../limits/address-window.ts'
import type { EdgeMiddleware } from './context.ts'

/**
 * Requests with a key that is not valid that one address may send in each window: far more than a client whose key has
 * ended needs to learn it, and too few to fill a log.
 */
export const maxKeyFailures = 100
export const keyFailureWindowMs = 60_000

export interface KeyCheckParts {
  /** Whose keys are let in. */
  readonly keys: Pick<ApiKeys, 'verify'>
  /** Milliseconds, to measure time spans by. */
  readonly now: () => number
}

/**
 * Lets requests with a valid API key that is allowed `scope`, or any of several, pass. An address that has sent too many others is answered
 * 429 to all further ones, until the window is over; its valid keys go on working, since they may be somebody else's who
 * shares the address.
 * @param failures counts requests with keys that are not valid
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
    const key = await identify(keys, presented).catch((error: unknown) => {
      throw isKeyFailure(error) ? brakeOr(error, call.address, now(), failures) : error
    })
    call.key = key
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
  const message = `More than ${maxKeyFailures} keys that are not valid came from this address within a minute`
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

/** The key as the client sent it; `X-API-Key` wins over `Authorization`. */
function presentedKey(headers: Headers): string | undefined {
  const ownHeader = headers.get('x-api-key')?.trim()
  if (ownHeader) return ownHeader
  const bearer = /^bearer +(\S+)$/i.exec(headers.get('authorization')?.trim() ?? '')
  return bearer?.[1]
}
