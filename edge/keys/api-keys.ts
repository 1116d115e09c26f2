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

/** What a presented key is worth. Only who has the whole key learns that it ended, and how. */
type Verdict =
  | { readonly key: KeyIdentity }
  | { readonly refused: 'unknown' | 'revoked' | 'expired' | 'rotated' }

/** Whose keys are let in. */
export interface ApiKeys {
  /** @throws {ServiceError} `keys_unavailable` */
  verify(presented: string): Promise<Verdict>
  /** Whether a key that was let in has been revoked or removed meanwhile. @throws {ServiceError} `keys_unavailable` */
  isRevoked(id: string): Promise<boolean>
  /** A key for a client, to be shown once. @param id of the key whose secret is replaced; a new one by default */
  issue(id?: string): Promise<IssuedKey>
  /** A change made here, which must count from the next request on. */
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

/** Keys whose good check is remembered, by their hashes: one needs some 200 bytes. */
const maxChecked = 10_000

export function createApiKeys({ source, hash: hashOf = hashKey, ...parts }: ApiKeysParts): ApiKeys {
  // Made when first asked for: a Worker must not wait for work that another request began.
  let rootHash: string | undefined
  /** Hash, by id, of the key that was checked last. */
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
