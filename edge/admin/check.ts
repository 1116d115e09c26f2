import { zValidator } from '@hono/zod-validator'
import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type * as z from 'zod'
import { ServiceError } from '../../shared/api/errors.ts'
import { invalidField } from '../../shared/api/request.ts'
import { mediaTypeOf } from '../body/media-type.ts'
import type { EdgeEnv } from '../platform.ts'

/** Bytes of an administrator's request: a few fields and a note. */
const maxBytes = 16 * 1024

/** Checks one part of a request; `c.req.valid(part)` then gives it. @throws {ServiceError} `invalid_field` */
export function check<Part extends 'json' | 'param' | 'query', Schema extends z.ZodType>(
  part: Part,
  schema: Schema,
) {
  return zValidator(part, schema, (result) => {
    if (result.success) return
    // Once more, to have the values at fault told.
    const { error } = schema.safeParse(result.data, { reportInput: true })
    if (error !== undefined) throw refusal(error)
  })
}

function refusal(error: z.ZodError): ServiceError {
  const issue = error.issues[0]
  if (issue?.code === 'unrecognized_keys') {
    const param = [...issue.path, ...issue.keys.slice(0, 1)].map(String).join('.')
    return new ServiceError('invalid_field', `${param} is not a field of this request`, { param })
  }
  if (issue?.code === 'custom' && issue.path.length === 0) {
    return new ServiceError('invalid_field', issue.message)
  }
  return invalidField(error)
}

/** Refuses a body that is not JSON. One that may be left out is looked at only when there is one. */
export function jsonBody({ optional = false } = {}): MiddlewareHandler<EdgeEnv> {
  return async (c, next) => {
    const { headers } = c.req.raw
    const isAbsent = async () =>
      !headers.has('content-type') && (await c.req.arrayBuffer()).byteLength === 0
    if (!optional || !(await isAbsent())) mediaTypeOf(headers, ['application/json'])
    await next()
  }
}

/** Where the key that a page is to follow is not there, or not any more. */
export function noSuchPage(after: string | undefined): ServiceError {
  return new ServiceError('invalid_field', `after: there is no key ${after}`, { param: 'after' })
}

/** Refuses a body that is too large for this purpose. */
export const smallBody = bodyLimit({
  maxSize: maxBytes,
  onError() {
    const message = `The request body is over the limit of ${maxBytes} bytes`
    throw new ServiceError('body_too_large', message)
  },
})
