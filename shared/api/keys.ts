import * as z from 'zod'
import { daySeconds } from '../time/day.ts'
import { scopes } from './scopes.ts'

/** Characters of a key's note. */
const maxNoteChars = 500

/** Seconds the old secret stays good after a rotation unless the request says: one day to roll out the new one. */
const defaultGraceSeconds = daySeconds

/** A month: who needs longer wants a second key. */
const maxGraceSeconds = 30 * daySeconds

/** Keys in one page of the list. */
const maxPageKeys = 1_000

const limit = z.int().min(0).optional()
const limitFields = z.strictObject({
  requests_per_minute: limit,
  concurrent_requests: limit,
  tokens_per_minute: limit,
  tokens_per_day: limit,
  images_per_day: limit,
})

/** With 0 a key could never be used; a key that may send no images can be. Keys made earlier may still have it. */
const usable = z
  .int()
  .min(1, { error: 'expected at least 1: no call would ever be let in; revoke a key to end it' })
  .optional()
const newLimitFields = limitFields.extend({
  requests_per_minute: usable,
  concurrent_requests: usable,
  tokens_per_minute: usable,
  tokens_per_day: usable,
})

const keyFields = {
  note: z.string().max(maxNoteChars),
  scopes: z
    .array(z.enum(scopes))
    .min(1)
    .transform((given) => scopes.filter((scope) => given.includes(scope))),
  limits: newLimitFields,
  /** ISO 8601 with an offset; null: never. */
  expires_at: z.iso.datetime({ offset: true }).nullable(),
}

/** `POST /admin/keys`. An unknown field is refused: a misspelt limit must not make a key without one. */
export const createKeyFields = z.strictObject({
  note: keyFields.note.default(''),
  scopes: keyFields.scopes.default(['text', 'image', 'image_url']),
  limits: keyFields.limits.default({}),
  expires_at: keyFields.expires_at.default(null),
})

/** `PATCH /admin/keys/{id}`: what is given replaces what was; `limits` as a whole. */
export const changeKeyFields = z
  .strictObject(keyFields)
  .partial()
  .refine((fields) => Object.keys(fields).length > 0, { error: 'nothing to change was sent' })

/** `POST /admin/keys/{id}/rotate` */
export const rotateKeyFields = z.strictObject({
  grace_seconds: z.int().min(0).max(maxGraceSeconds).default(defaultGraceSeconds),
})

/** `GET /admin/keys` */
export const listKeysQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d+$/, 'expected a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(maxPageKeys))
    .default(100),
  /** Id of the last key of the page before. */
  after: z.string().max(64).optional(),
})

/** A key as the admin API shows it; times in ISO 8601, UTC. */
export const keyView = z.object({
  id: z.string(),
  note: z.string(),
  status: z.enum(['active', 'expired', 'revoked']),
  scopes: z.array(z.enum(scopes)),
  limits: limitFields,
  created_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  /** After a rotation: until when the secret before it works too. */
  previous_valid_until: z.string().nullable(),
})
export type KeyView = z.infer<typeof keyView>

/** What creating and rotating answer: the one time that the key itself is shown. */
export const issuedKeyView = keyView.extend({ key: z.string() })
export type IssuedKeyView = z.infer<typeof issuedKeyView>

export const keyListView = z.object({ keys: z.array(keyView), has_more: z.boolean() })
