import {
  equalText,
  hasGoodCheck,
  hashKey,
  makeKey,
  parseKey,
  type ParsedKey,
} from './key-format.ts'
import { rootKey, type KeyIdentity, type KeyRecord } from './key-record.ts'
import type { KeySource } from './key-source.ts'

/** The verdict on a presented key. Only a caller with the complete key learns that it ended, and how. */
type Verdict =
  | { readonly key: KeyIdentity }
  | { readonly refused: 'unknown' | 'revoked' | 'expired' | 'rotated' }

/** Verifies and issues keys. */
export interface ApiKeys {
  /** @throws {ServiceError} `keys_unavailable` */
  verify(presented: string): Promise<Verdict>
  /** Whether an accepted key has since been revoked or removed. @throws {ServiceError} `keys_unavailable` */
  isRevoked(id: string): Promise<boolean>
  /** A new key for a client, to be shown once. @param id of the key whose secret is replaced; a new one by default */
  issue(id?: string): Promise<IssuedKey>
  /** Notes a change made here, which must be effective from the next request on. */
  noteChange(id: string, version: number): void
}

interface IssuedKey {
  readonly id: string
  readonly text: string
  readonly hash: string
}

interface ApiKeysParts {
  /** The API_KEY setting: valid without any store. */
  readonly rootKey: string
  readonly source: KeySource
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  /** SHA-256, hexadecimal. */
  readonly hash?: (text: string) => string | Promise<string>
}

/** Keys whose valid checksum is remembered, by their hashes: each takes about 200 bytes. */
const maxChecked = 10_000

export function createApiKeys({ source, hash: hashOf = hashKey, ...parts }: ApiKeysParts): ApiKeys {
  // Computed on first use: a Worker must not wait for work that another request began.
  let rootHash: string | undefined
  /** By id, the hash of the key that was checked last. */
  const checked = new Map<string, string>()
  const isOurs = async (key: ParsedKey, hash: string) => {
    const known = checked.get(key.id)
    if (known !== undefined && equalText(known, hash)) return true
    if (!(await hasGoodCheck(key, await source.checkSecret(key.id)))) return false
    if (checked.size >= maxChecked) checked.clear()
    checked.set(key.id, hash)
    return true
  }
  return {
    async verify(presented) {
      rootHash ??= await hashOf(parts.rootKey)
      const hash = await hashOf(presented)
      if (equalText(hash, rootHash)) return { key: rootKey }
      const parsed = parseKey(presented)
      if (parsed === undefined || !(await isOurs(parsed, hash))) return { refused: 'unknown' }
      return judge(await source.find(parsed.id), hash, parts.wallClock())
    },
    async isRevoked(id) {
      if (id === rootKey.id) return false
      const record = await source.find(id)
      return record === undefined || record.revokedAt !== null
    },
    async issue(id) {
      return makeKey(await source.checkSecret(id ?? rootKey.id), id)
    },
    noteChange: (id, version) => source.noteChange(id, version),
  }
}

/** @param now milliseconds since 1970 */
function judge(record: KeyRecord | undefined, hash: string, now: number): Verdict {
  if (record === undefined) return { refused: 'unknown' }
  const { previous } = record
  const isCurrent = equalText(hash, record.hash)
  const isPrevious = previous !== null && equalText(hash, previous.hash)
  if (!isCurrent && !isPrevious) return { refused: 'unknown' }
  if (record.revokedAt !== null) return { refused: 'revoked' }
  if (record.expiresAt !== null && record.expiresAt <= now) return { refused: 'expired' }
  if (!isCurrent && previous !== null && previous.until <= now) return { refused: 'rotated' }
  return { key: { id: record.id, scopes: record.scopes, limits: record.limits } }
}
