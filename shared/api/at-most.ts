import * as z from 'zod'

/**
 * Lets values pass that have at most `limit` items or entries, and whatever is no list or object. It stands before their
 * schema: zod looks at every item before it looks at their number, and a body may hold a million.
 */
export function atMost(limit: number, error: string) {
  return z.unknown().refine((value) => entriesOf(value) <= limit, { error, abort: true })
}

function entriesOf(value: unknown): number {
  if (Array.isArray(value)) return value.length
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0
}
