import type { Usage } from '../../shared/api/events.ts'
import type { DayUsage } from '../../shared/api/administration/usage.ts'
import type { KeyLimits } from '../keys/key-record.ts'
import type { UtcDay } from './utc-day.ts'

/** What a call may use, known before it runs: the least it needs, and the most it can use. */
export interface Bounds {
  readonly least: number
  readonly most: number
}

export interface Demand {
  readonly tokens: Bounds
  readonly images: Bounds
}

export type LimitName = keyof KeyLimits

/** The unit of each limit. */
export const unitOf = {
  requestsPerMinute: 'requests',
  concurrentRequests: 'requests',
  tokensPerMinute: 'tokens',
  tokensPerDay: 'tokens',
  imagesPerDay: 'images',
} as const satisfies Record<LimitName, string>

/** What a call reserves or has used. */
export interface Amounts {
  readonly tokens: number
  readonly images: number
}

/** The state of one limit of a key, including the call just judged. */
export interface Standing {
  readonly name: LimitName
  readonly limit: number
  /** Reservations of running calls count as used. */
  readonly remaining: number
  /** Milliseconds until the limit is fully available again; undefined if that cannot be known. */
  readonly resetMs: number | undefined
}

export interface Refusal {
  readonly name: LimitName
  readonly limit: number
  readonly used: number
  /** The least the call needs. */
  readonly needed: number
  /** Milliseconds after which the limit has room even if no running call gives anything back; undefined: never. */
  readonly waitMs: number | undefined
}

export interface Grant {
  readonly granted: true
  readonly standings: readonly Standing[]
  readonly reserved: Amounts
}

export type Decision =
  | Grant
  | {
      readonly granted: false
      readonly standings: readonly Standing[]
      readonly refusal: Refusal
    }

export interface ReserveRequest {
  /** Unique among the calls of the key. */
  readonly callId: string
  readonly limits: KeyLimits
  readonly demand: Demand
  /** Milliseconds after which the call must be over; if it is not settled by then, its owner has crashed. */
  readonly leaseMs: number
}

/**
 * How a call ended. `answered`: completely, with its usage. `failed`: with an error, ours or the client's.
 * `cancelled`: the client left. For the last two, `usage` is the latest reported by the model.
 */
export interface Settlement {
  readonly callId: string
  readonly ending: 'answered' | 'failed' | 'cancelled'
  readonly usage: Usage | undefined
  readonly images: number
  /** Milliseconds from admission to end. */
  readonly ms: number
}

/** The tokens of a call as limits count them: image tokens are part of the prompt's. */
export function tokensOf(usage: Usage | undefined): number {
  return usage === undefined ? 0 : usage.prompt_tokens + usage.completion_tokens
}

export interface DayRange {
  readonly from: UtcDay
  /** Included in the range. */
  readonly to: UtcDay
}

/** Counts what keys use, and decides when it is too much. Each method is one transaction. */
export interface Meter {
  reserve(keyId: string, request: ReserveRequest): Promise<Decision>
  /** Gives back what was reserved and records what was used. Only the first settlement of a call counts. */
  settle(keyId: string, settlement: Settlement): Promise<void>
  /** Rejects unless a call of the key could be counted now: writes, but changes nothing that is counted. */
  check(keyId: string): Promise<void>
  /** Days with at least one call, oldest first. */
  usage(keyId: string, range: DayRange): Promise<DayUsage[]>
}
