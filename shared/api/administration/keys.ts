import * as z from 'zod'
import { integerSetting } from '../../settings/integer.ts'
import { daySeconds } from '../../time/day.ts'
import { scopes } from './scopes.ts'

/** Characters of a key's note. */
const maxNoteChars = 500

/**
 * Seconds the old secret stays valid after a rotation unless the request says otherwise: one day to roll out the new
 * one.
 */
const defaultGraceSeconds = daySeconds

/** A month: anyone who needs longer should make a second key. */
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

/**
 * A limit of 0 would make the key unusable, except for images. Keys made by earlier versions may still have such a
 * limit.
 */
const usable = z
  .int()
  .min(1, {
    error: 'expected at least 1: with 0 no call would ever be admitted; revoke the key instead',
  })
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
  /** ISO 8601 with an offset; null means never. */
  expires_at: z.iso.datetime({ offset: true }).nullable(),
}

/** `POST /admin/keys`. An unknown field is rejected, so that a misspelt limit cannot create a key without one. */
export const createKeyFields = z.strictObject({
  note: keyFields.note.default(''),
  scopes: keyFields.scopes.default(['text', 'image', 'image_url']),
  limits: keyFields.limits.default({}),
  expires_at: keyFields.expires_at.default(null),
})

/** `PATCH /admin/keys/{id}`: each field given replaces the old value; `limits` is replaced as a whole. */
export const changeKeyFields = z
  .strictObject(keyFields)
  .partial()
  .refine((fields) => Object.keys(fields).length > 0, { error: 'the request changes nothing' })

/** `POST /admin/keys/{id}/rotate` */
export const rotateKeyFields = z.strictObject({
  grace_seconds: z.int().min(0).max(maxGraceSeconds).default(defaultGraceSeconds),
})

/** `GET /admin/keys` */
export const listKeysQuery = z.strictObject({
  limit: integerSetting(1, maxPageKeys).default(100),
  /** Id of the last key on the previous page. */
  after: z.string().max(64).optional(),
})

/** A key as the admin API shows it; times are ISO 8601 in UTC. */
export const keyView = z.object({
  id: z.string(),
  note: z.string(),
  status: z.enum(['active', 'expired', 'revoked']),
  scopes: z.array(z.enum(scopes)),
  limits: limitFields,
  created_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  /** After a rotation: until when the previous secret still works. */
  previous_valid_until: z.string().nullable(),
})
export type KeyView = z.infer<typeof keyView>

/** The answer to creating and rotating a key, the only one that shows the key itself. */
export const issuedKeyView = keyView.extend({ key: z.string() })
export type IssuedKeyView = z.infer<typeof issuedKeyView>

export const keyListView = z.object({ keys: z.array(keyView), has_more: z.boolean() })
