import type { KeyView } from '../../shared/api/administration/keys.ts'
import type { KeyLimits, KeyRecord } from './key-record.ts'

type LimitFields = KeyView['limits']

/** A key as administrators see it. @param now milliseconds since 1970 */
export function viewOf(record: KeyRecord, now: number): KeyView {
  const { previous } = record
  const previousWorks = previous !== null && record.revokedAt === null && now < previous.until
  return {
    id: record.id,
    note: record.note,
    status: statusOf(record, now),
    scopes: [...record.scopes],
    limits: limitsView(record.limits),
    created_at: isoTime(record.createdAt),
    expires_at: record.expiresAt === null ? null : isoTime(record.expiresAt),
    revoked_at: record.revokedAt === null ? null : isoTime(record.revokedAt),
    previous_valid_until: previousWorks ? isoTime(previous.until) : null,
  }
}

/** @param now milliseconds since 1970 */
export function statusOf(record: KeyRecord, now: number): KeyView['status'] {
  if (record.revokedAt !== null) return 'revoked'
  return record.expiresAt !== null && record.expiresAt <= now ? 'expired' : 'active'
}

export function limitsOf(fields: LimitFields): KeyLimits {
  return withoutAbsent({
    requestsPerMinute: fields.requests_per_minute,
    concurrentRequests: fields.concurrent_requests,
    tokensPerMinute: fields.tokens_per_minute,
    tokensPerDay: fields.tokens_per_day,
    imagesPerDay: fields.images_per_day,
  })
}

function limitsView(limits: KeyLimits): LimitFields {
  return withoutAbsent({
    requests_per_minute: limits.requestsPerMinute,
    concurrent_requests: limits.concurrentRequests,
    tokens_per_minute: limits.tokensPerMinute,
    tokens_per_day: limits.tokensPerDay,
    images_per_day: limits.imagesPerDay,
  })
}

function withoutAbsent<Name extends string>(
  limits: Readonly<Record<Name, number | undefined>>,
): Partial<Record<Name, number>> {
  const present = Object.entries(limits).filter(([, limit]) => limit !== undefined)
  return Object.fromEntries(present) as Partial<Record<Name, number>>
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
