import * as z from 'zod'

/**
 * Rejects lists and objects of more than `limit` entries; any other value passes. It runs before their schema,
 * because zod looks at every item before it checks how many there are, and a body may hold a million. The OpenAPI document
 * reads the limit from the schema's metadata.
 */
export function atMost(limit: number, error: string) {
  return z
    .unknown()
    .refine((value) => entriesOf(value) <= limit, { error, abort: true })
    .meta({ atMost: limit })
}

function entriesOf(value: unknown): number {
  if (Array.isArray(value)) return value.length
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0
}
