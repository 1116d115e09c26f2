import { zValidator } from '@hono/zod-validator'
import type { MiddlewareHandler } from 'hono'
import type * as z from 'zod'
import { ServiceError } from '../../shared/api/errors.ts'
import { parseJsonBytes } from '../../shared/api/wire/parse-json.ts'
import { invalidField } from '../../shared/api/request/request.ts'
import { readClientBody } from '../body/client-body.ts'
import { mediaTypeOf } from '../body/media-type.ts'
import type { EdgeEnv } from '../calls/context.ts'

/** Bytes of an administrator's request: a few fields and a note. */
const maxBytes = 16 * 1024

/** Validates one part of a request; `c.req.valid(part)` then returns it. @throws {ServiceError} `invalid_field` */
export function check<Part extends 'param' | 'query', Schema extends z.ZodType>(
  part: Part,
  schema: Schema,
) {
  return zValidator(part, schema, (result) => {
    if (result.success) return
    // Parse again to report the offending values.
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

/**
 * Reads and validates a JSON body; `c.req.valid('json')` then returns it.
 * @param optional true where an empty body counts as `{}`
 * @throws {ServiceError} `unsupported_media_type`, `invalid_json`, `invalid_field`, `body_too_large`
 */
export function jsonBody<Schema extends z.ZodType>(
  schema: Schema,
  { optional = false } = {},
): MiddlewareHandler<EdgeEnv, string, { out: { json: z.output<Schema> } }> {
  return async (c, next) => {
    const bytes = await readClientBody(c, maxBytes)
    const isAbsent = optional && bytes.byteLength === 0
    if (!isAbsent) mediaTypeOf(c.req.raw.headers, ['application/json'])
    const result = schema.safeParse(isAbsent ? {} : parseJsonBytes(bytes), { reportInput: true })
    if (!result.success) throw refusal(result.error)
    c.req.addValidatedData('json', result.data as object)
    await next()
  }
}

/** The key given as `after` does not exist. */
export function noSuchPage(after: string | undefined): ServiceError {
  return new ServiceError('invalid_field', `after: there is no key ${after}`, { param: 'after' })
}
