import { Hono } from 'hono'
import { jsonAnswer } from '../../shared/api/wire/json-answer.ts'
import { ServiceError } from '../../shared/api/errors.ts'
import { adminRoutes } from '../../shared/api/routes.ts'
import { usageQuery } from '../../shared/api/administration/usage.ts'
import { dayMs } from '../../shared/time/day.ts'
import { rootKey } from '../keys/key-record.ts'
import type { KeyStore } from '../keys/key-store.ts'
import type { Meter } from '../limits/meter.ts'
import { utcDayOf } from '../limits/utc-day.ts'
import type { EdgeEnv } from '../calls/context.ts'
import { check, noSuchPage } from './check.ts'

/** Milliseconds before its last day at which a range without a first day begins: thirty days in total. */
const defaultRangeMs = 29 * dayMs

export interface UsageParts {
  readonly keyStore: Pick<KeyStore, 'list'>
  readonly meter: Pick<Meter, 'usage'>
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
}

/** `GET /admin/usage`: what keys have used, by key and day. Callers have the scope `admin`. */
export function usageRoute({ keyStore, meter, wallClock }: UsageParts): Hono<EdgeEnv> {
  const app = new Hono<EdgeEnv>()
  app.get(adminRoutes.usage.path, check('query', usageQuery), async (c) => {
    const { key_id: keyId, limit, after, ...range } = c.req.valid('query')
    const to = range.to ?? utcDayOf(wallClock())
    const from = range.from ?? utcDayOf(Date.parse(to) - defaultRangeMs)
    if (from > to) {
      throw new ServiceError('invalid_field', `from: ${from} is after ${to}`, { param: 'from' })
    }
    try {
      const { ids, next } =
        keyId === undefined ? await pageOfIds(limit, after) : { ids: [keyId], next: null }
      const usage = await Promise.all(ids.map((id) => meter.usage(id, { from, to })))
      return jsonAnswer({ from, to, usage: usage.flat(), next }, 200, {
        'cache-control': 'no-store',
      })
    } catch (cause) {
      if (cause instanceof ServiceError) throw cause
      throw new ServiceError('limits_unavailable', 'Usage cannot be read now', { cause })
    }
  })
  return app

  /** The root key comes first, because it is in no store. */
  async function pageOfIds(
    limit: number,
    after: string | undefined,
  ): Promise<{ ids: string[]; next: string | null }> {
    const isFirst = after === undefined
    const wanted = isFirst ? limit - 1 : limit
    const storedAfter = after === rootKey.id ? undefined : after
    const records = await keyStore.list(wanted + 1, storedAfter)
    if (records === undefined) throw noSuchPage(after)
    const stored = records.slice(0, wanted).map(({ id }) => id)
    const ids = isFirst ? [rootKey.id, ...stored] : stored
    return { ids, next: records.length > wanted ? ids.at(-1)! : null }
  }
}
