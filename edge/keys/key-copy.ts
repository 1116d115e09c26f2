import { hexOf } from '../../shared/bytes/hex.ts'
import { equalText, hmacOf } from './key-format.ts'
import type { KeyRecord } from './key-record.ts'

/** A record as the authority had it at one point in its history. */
export interface KeyCopy {
  readonly record: KeyRecord
  /** The authority's version at that point: the record contains all changes up to it and none after it. */
  readonly asOf: number
}

/**
 * Part of every seal, so that copies of a different shape count as broken; must be increased when KeyRecord changes.
 */
const shape = 'key-copy-1'

/**
 * The stored text of a copy. Its seal is made with a secret that only the authority and its isolates have, so anyone
 * who can write to the store can at most restore an older copy of the same key.
 */
export async function sealCopy(copy: KeyCopy, checkSecret: string): Promise<string> {
  const text = JSON.stringify(copy)
  return `${await sealOf(text, checkSecret)}\n${text}`
}

/** @returns undefined for anything that was not sealed here as a copy of this key */
export async function openCopy(
  sealed: string,
  id: string,
  checkSecret: string,
): Promise<KeyCopy | undefined> {
  const end = sealed.indexOf('\n')
  const text = sealed.slice(end + 1)
  if (end < 0 || !equalText(sealed.slice(0, end), await sealOf(text, checkSecret))) return undefined
  const copy = JSON.parse(text) as KeyCopy
  return copy.record.id === id ? copy : undefined
}

async function sealOf(text: string, checkSecret: string): Promise<string> {
  return hexOf(await hmacOf(`${shape}\n${text}`, checkSecret))
}
