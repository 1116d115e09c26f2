import type { LogLine } from '../../shared/log/log-line.ts'
import type { EdgeMiddleware } from '../calls/context.ts'

/** Ids as this server makes them; anything else in a path is not logged. */
const idPattern = /^[0-9a-z]{12}$/

/** Writes an audit line for administration that was refused or failed: who tried what from where, and why it failed. */
export function auditRefusals({ log }: { readonly log: (line: LogLine) => void }): EdgeMiddleware {
  return async (c, next) => {
    await next()
    const { failure, route, requestId, key, address } = c.var.call
    if (failure === undefined) return
    const id = c.req.param('id')
    log({
      level: 'warn',
      message: 'audit',
      request_id: requestId,
      change: `${route ?? 'unknown'} refused`,
      code: failure.code,
      ...(id !== undefined && idPattern.test(id) && { changed_key_id: id }),
      by_key_id: key?.id ?? null,
      address,
    })
  }
}
