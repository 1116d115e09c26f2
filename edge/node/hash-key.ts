import { createHash } from 'node:crypto'

/** The same as `hashKey`, but synchronous: hashing is faster than waking another thread. */
export function hashKeyNow(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
