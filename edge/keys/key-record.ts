import { scopes, type Scope } from '../../shared/api/administration/scopes.ts'

/** Limits of one key; an absent one does not limit. */
export interface KeyLimits {
  readonly requestsPerMinute?: number
  readonly concurrentRequests?: number
  /** Prompt, image and completion tokens together. */
  readonly tokensPerMinute?: number
  readonly tokensPerDay?: number
  readonly imagesPerDay?: number
}

/**
 * One key as the store keeps it. The key itself is stored nowhere, only its hash. Times are milliseconds since 1970.
 */
export interface KeyRecord {
  /** Public name of the key: in logs, towards the backend, in the admin API. */
  readonly id: string
  /** Grows with every change of any key; of two copies of a record the one with the higher version is newer. */
  readonly version: number
  /** A text for its owner. */
  readonly note: string
  readonly scopes: readonly Scope[]
  readonly limits: KeyLimits
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly revokedAt: number | null
  /** SHA-256 of the whole key, hexadecimal. */
  readonly hash: string
  /** The key before the last rotation, valid until `until`. */
  readonly previous: { readonly hash: string; readonly until: number } | null
}

/** The sender of a request, as routes and limits see it. */
export type KeyIdentity = Pick<KeyRecord, 'id' | 'scopes' | 'limits'>

/** The key of the API_KEY setting: it has every scope and no limits, and is in no store. */
export const rootKey: KeyIdentity = { id: 'default', scopes, limits: {} }
