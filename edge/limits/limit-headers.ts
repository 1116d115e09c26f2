import { ServiceError } from '../../shared/api/errors.ts'
import {
  type Amounts,
  type Grant,
  type LimitName,
  type Refusal,
  type Standing,
  unitOf,
} from './meter.ts'

/** The name of each limit, in headers and in words. */
const spelling: Record<LimitName, { readonly header: string; readonly words: string }> = {
  requestsPerMinute: { header: 'requests', words: 'requests per minute' },
  concurrentRequests: { header: 'concurrent', words: 'concurrent requests' },
  tokensPerMinute: { header: 'tokens', words: 'tokens per minute' },
  tokensPerDay: { header: 'tokens-day', words: 'tokens per day' },
  imagesPerDay: { header: 'images-day', words: 'images per day' },
}

/**
 * The state of a key's limits once a call's reservation is replaced by its usage. The call itself still counts as a
 * request, and what other calls did in the meantime is not known here.
 * @param ms since the reservation
 */
export function standingsAfter(
  { standings, reserved }: Grant,
  used: Amounts,
  ms: number,
): readonly Standing[] {
  return standings.map((standing) => {
    const unit = unitOf[standing.name]
    const givenBack = unit === 'requests' ? 0 : reserved[unit] - used[unit]
    const { limit, remaining, resetMs } = standing
    return {
      ...standing,
      remaining: Math.min(limit, Math.max(0, remaining + givenBack)),
      resetMs: resetMs === undefined ? undefined : Math.max(0, resetMs - ms),
    }
  })
}

/** Every header that `limitHeaders` may set. */
export const limitHeaderNames: readonly string[] = Object.values(spelling).flatMap(({ header }) =>
  ['limit', 'remaining', ...(header === spelling.concurrentRequests.header ? [] : ['reset'])].map(
    (part) => `x-ratelimit-${part}-${header}`,
  ),
)

/** The state of a key's limits as headers: units, and seconds rounded up. */
export function limitHeaders(standings: readonly Standing[]): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  for (const { name, limit, remaining, resetMs } of standings) {
    const { header } = spelling[name]
    headers[`x-ratelimit-limit-${header}`] = String(limit)
    headers[`x-ratelimit-remaining-${header}`] = String(remaining)
    if (resetMs !== undefined) headers[`x-ratelimit-reset-${header}`] = seconds(resetMs)
  }
  return headers
}

/** A refusal as the client's error: `rate_limited` where waiting a minute helps, else `quota_exceeded`. */
export function refusalError({ name, limit, used, needed, waitMs }: Refusal): ServiceError {
  const { words } = spelling[name]
  if (waitMs === undefined) {
    const message = `Cannot accept the request: it needs ${needed} ${words}, over the limit of ${limit}`
    return new ServiceError('quota_exceeded', message)
  }
  const ofDay = name === 'tokensPerDay' || name === 'imagesPerDay'
  const wanted = needed > 1 ? `, and it needs ${needed}` : ''
  const message = `Cannot accept the request: ${used} of ${limit} ${words} are used or reserved${wanted}`
  return new ServiceError(ofDay ? 'quota_exceeded' : 'rate_limited', message, {
    retryAfterSeconds: Math.ceil(waitMs / 1_000),
  })
}

function seconds(ms: number): string {
  return String(Math.ceil(ms / 1_000))
}
