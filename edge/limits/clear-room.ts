import { type Grant, type LimitName } from './meter.ts'

/**
 * Fraction of a limit that must be left for its room to be clear: more than others can use up during one settlement.
 */
const clearPart = 0.5

/**
 * Further calls there must be room for before a call may be settled after its answer: a client that has read answers
 * may begin as many at once through other isolates, where the room those calls give back still counts as reserved.
 */
const clearCalls = 256

/** Whether nobody notices when a call is settled: there is clear room, and much more than the call holds. */
export function hasClearRoom({
  standings,
  reserved,
}: Pick<Grant, 'standings' | 'reserved'>): boolean {
  const held: Record<LimitName, number> = {
    // Nothing gives it back.
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
