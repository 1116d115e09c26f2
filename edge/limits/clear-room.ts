import { type Grant, type LimitName } from './meter.ts'

/**
 * Fraction of a limit that must be left for it to count as having clear room: more than others can use up during one
 * settlement.
 */
const clearPart = 0.5

/**
 * Number of further calls that must fit before a call may be settled after its answer: a client that has read answers
 * may start as many at once through other isolates, where the room those calls give back still counts as reserved.
 */
const clearCalls = 256

/**
 * Whether it makes no visible difference when a call is settled: there is clear room, and much more than the call
 * holds.
 */
export function hasClearRoom({
  standings,
  reserved,
}: Pick<Grant, 'standings' | 'reserved'>): boolean {
  const held: Record<LimitName, number> = {
    // It is never given back.
    requestsPerMinute: 0,
    concurrentRequests: 1,
    tokensPerMinute: reserved.tokens,
    tokensPerDay: reserved.tokens,
    imagesPerDay: reserved.images,
  }
  return standings.every(
    ({ name, limit, remaining }) =>
      isClear(limit, remaining) && remaining >= clearCalls * held[name],
  )
}

function isClear(limit: number, remaining: number): boolean {
  return remaining >= limit * clearPart
}
