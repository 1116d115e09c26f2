import { Hono } from 'hono'
import * as z from 'zod'
import { jsonAnswer } from '../../shared/api/wire/json-answer.ts'
import {
  changeKeyFields,
  createKeyFields,
  listKeysQuery,
  rotateKeyFields,
} from '../../shared/api/administration/keys.ts'
import { adminRoutes } from '../../shared/api/routes.ts'
import type { EdgeEnv } from '../calls/context.ts'
import { check, jsonBody } from './check.ts'
import {
  KeyAdministration,
  type IssuedKey,
  type KeyAdministrationParts,
} from './key-administration.ts'

/** Longer ids do not exist; unknown shorter ones are answered with 404. */
const idParam = check('param', z.object({ id: z.string().max(64) }))

/** `/admin/keys`: creating, showing, changing and revoking keys. Callers have the scope `admin`. */
export function keyRoutes(parts: KeyAdministrationParts): Hono<EdgeEnv> {
  const { createKey, listKeys, showKey, changeKey, removeKey, revokeKey, rotateKey } = adminRoutes
  const admin = new KeyAdministration(parts)
  const app = new Hono<EdgeEnv>()

  app.post(createKey.path, jsonBody(createKeyFields), async (c) =>
    issued(await admin.create(c.var.call, c.req.valid('json')), 201),
  )
  app.get(listKeys.path, check('query', listKeysQuery), async (c) => {
    const { limit, after } = c.req.valid('query')
    return answer(await admin.list(limit, after))
  })
  app.get(showKey.path, idParam, async (c) => answer(await admin.show(c.req.valid('param').id)))
  app.patch(changeKey.path, idParam, jsonBody(changeKeyFields), async (c) => {
    const { id } = c.req.valid('param')
    return answer(await admin.change(c.var.call, id, c.req.valid('json')))
  })
  app.delete(removeKey.path, idParam, async (c) => {
    const { id } = c.req.valid('param')
    await admin.remove(c.var.call, id)
    return answer({ id, removed: true })
  })
  app.post(revokeKey.path, idParam, async (c) =>
    answer(await admin.revoke(c.var.call, c.req.valid('param').id)),
  )
  app.post(rotateKey.path, idParam, jsonBody(rotateKeyFields, { optional: true }), async (c) => {
    const graceMs = c.req.valid('json').grace_seconds * 1_000
    return issued(await admin.rotate(c.var.call, c.req.valid('param').id, graceMs), 200)
  })
  return app
}

/** Answers that contain keys must not be stored. */
function answer(body: object, status: 200 | 201 = 200): Response {
  return jsonAnswer(body, status, { 'cache-control': 'no-store' })
}

function issued({ text, view }: IssuedKey, status: 200 | 201): Response {
  return answer({ key: text, ...view }, status)
}
