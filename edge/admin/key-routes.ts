import { Hono } from 'hono'
import * as z from 'zod'
import { jsonAnswer } from '../../shared/api/wire/json-answer.ts'
import { ServiceError } from '../../shared/api/errors.ts'
import {
  changeKeyFields,
  createKeyFields,
  listKeysQuery,
  rotateKeyFields,
  type KeyView,
} from '../../shared/api/administration/keys.ts'
import { adminRoutes } from '../../shared/api/routes.ts'
import type { LogLine } from '../../shared/log/log-line.ts'
import type { ApiKeys } from '../keys/api-keys.ts'
import type { IdempotencyStore } from '../idempotency/idempotency-store.ts'
import type { KeyRecord } from '../keys/key-record.ts'
import type { KeyChanges, KeyStore } from '../keys/key-store.ts'
import { limitsOf, statusOf, viewOf } from '../keys/key-view.ts'
import type { EdgeContext, EdgeEnv } from '../calls/context.ts'
import { check, jsonBody, noSuchPage } from './check.ts'

/** Longer ids do not exist; unknown shorter ones are answered with 404. */
const idParam = z.object({ id: z.string().max(64) })

export interface KeyRouteParts {
  readonly keys: Pick<ApiKeys, 'issue' | 'noteChange'>
  /** The store in which administrators change keys. */
  readonly keyStore: KeyStore
  readonly log: (line: LogLine) => void
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  readonly answers: Pick<IdempotencyStore, 'forget'>
}

/** `/admin/keys`: creating, showing, changing and revoking keys. Callers have the scope `admin`. */
export function keyRoutes(platform: KeyRouteParts): Hono<EdgeEnv> {
  const { keys, keyStore, wallClock } = platform
  const { createKey, listKeys, showKey, changeKey, removeKey, revokeKey, rotateKey } = adminRoutes
  const view = (record: KeyRecord) => viewOf(record, wallClock())
  const app = new Hono<EdgeEnv>()

  app.post(createKey.path, jsonBody(createKeyFields), async (c) => {
    const { note, scopes, limits, expires_at } = c.req.valid('json')
    const expiresAt = timeOf(expires_at)
    if (expiresAt !== null && expiresAt <= wallClock()) {
      const message = `expires_at must be in the future, received "${String(expires_at)}"`
      throw new ServiceError('invalid_field', message, { param: 'expires_at' })
    }
    const { id, text, hash } = await keys.issue()
    const key = { id, hash, note, scopes, limits: limitsOf(limits), expiresAt }
    const record = await reach(() => keyStore.create(key))
    return answer(noted(platform, c, record, 'created'), 201, text)
  })

  app.get(listKeys.path, check('query', listKeysQuery), async (c) => {
    const { limit, after } = c.req.valid('query')
    const records = await reach(() => keyStore.list(limit + 1, after))
    if (records === undefined) throw noSuchPage(after)
    const page = { keys: records.slice(0, limit).map(view), has_more: records.length > limit }
    return jsonAnswer(page, 200, noStore)
  })

  app.get(showKey.path, check('param', idParam), async (c) => {
    const { id } = c.req.valid('param')
    return answer(view(found(id, await reach(() => keyStore.get(id)))))
  })

  app.patch(changeKey.path, check('param', idParam), jsonBody(changeKeyFields), async (c) => {
    const { id } = c.req.valid('param')
    const fields = c.req.valid('json')
    const record = found(id, await reach(() => keyStore.update(id, changesOf(fields))))
    return answer(noted(platform, c, record, 'changed', Object.keys(fields)))
  })

  app.delete(removeKey.path, check('param', idParam), async (c) => {
    const { id } = c.req.valid('param')
    const record = found(id, await reach(() => keyStore.remove(id)))
    noted(platform, c, record, 'removed')
    await forgetAnswers(platform, c, id)
    return jsonAnswer({ id, removed: true }, 200, noStore)
  })

  app.post(revokeKey.path, check('param', idParam), async (c) => {
    const { id } = c.req.valid('param')
    const record = found(id, await reach(() => keyStore.revoke(id)))
    const revoked = noted(platform, c, record, 'revoked')
    await forgetAnswers(platform, c, id)
    return answer(revoked)
  })

  const rotation = jsonBody(rotateKeyFields, { optional: true })
  app.post(rotateKey.path, check('param', idParam), rotation, async (c) => {
    const { id } = c.req.valid('param')
    const { grace_seconds } = c.req.valid('json')
    const { text, hash } = await keys.issue(id)
    const record = found(id, await reach(() => keyStore.rotate(id, hash, grace_seconds * 1_000)))
    if (record.hash !== hash) {
      const message = `Cannot rotate key ${id}: it is ${statusOf(record, wallClock())}`
      throw new ServiceError('key_not_active', message)
    }
    return answer(noted(platform, c, record, 'rotated'), 200, text)
  })
  return app
}

/** Answers that contain keys must not be stored. */
const noStore = { 'cache-control': 'no-store' }

/** @param key the key itself, the only time it is shown */
function answer(view: KeyView, status: 200 | 201 = 200, key?: string): Response {
  return jsonAnswer(key === undefined ? view : { key, ...view }, status, noStore)
}

function found(id: string, record: KeyRecord | undefined): KeyRecord {
  if (record !== undefined) return record
  throw new ServiceError('not_found', `There is no key ${id}`, { param: 'id' })
}

/** Makes a change effective here at once, and logs who made it. */
function noted(
  { keys, log, wallClock }: KeyRouteParts,
  c: EdgeContext,
  record: KeyRecord,
  change: string,
  fields?: readonly string[],
): KeyView {
  keys.noteChange(record.id, record.version)
  log({
    level: 'warn',
    message: 'audit',
    request_id: c.var.call.requestId,
    change: `key ${change}`,
    changed_key_id: record.id,
    by_key_id: c.var.call.key?.id,
    address: c.var.call.address,
    ...(fields !== undefined && { fields: fields.join(',') }),
  })
  return viewOf(record, wallClock())
}

/** Removes the kept answers of a key that has ended. If they cannot be reached, they expire in their own time. */
async function forgetAnswers(
  { answers, log }: KeyRouteParts,
  c: EdgeContext,
  id: string,
): Promise<void> {
  try {
    // On Node a part at a time, so that other requests get their turn.
    while (await answers.forget(id)) await new Promise((resolve) => setTimeout(resolve, 0))
  } catch (error) {
    log({
      level: 'error',
      message: 'answers of a key that has ended were not removed',
      request_id: c.var.call.requestId,
      key_id: id,
      detail: error instanceof Error ? error.message : 'unknown',
    })
  }
}

function changesOf(fields: z.infer<typeof changeKeyFields>): KeyChanges {
  const { note, scopes, limits, expires_at } = fields
  return {
    ...(note !== undefined && { note }),
    ...(scopes !== undefined && { scopes }),
    ...(limits !== undefined && { limits: limitsOf(limits) }),
    ...(expires_at !== undefined && { expiresAt: timeOf(expires_at) }),
  }
}

function timeOf(text: string | null): number | null {
  return text === null ? null : Date.parse(text)
}

/** @throws {ServiceError} `keys_unavailable` when the store fails; then either nothing has changed or everything */
async function reach<Value>(action: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await action()
  } catch (cause) {
    throw new ServiceError('keys_unavailable', 'API keys cannot be managed at the moment', {
      cause,
    })
  }
}
