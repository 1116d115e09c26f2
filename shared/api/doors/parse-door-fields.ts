import type * as z from 'zod'
import type { ServiceError } from '../errors.ts'
import { invalidField, parseFields } from '../request/request.ts'
import { unsupported } from './unsupported.ts'

/** Longest type that an error repeats, in characters. */
const maxTypeChars = 40

/**
 * As `parseFields`, but a part, source or format whose type is not known here is refused as unsupported: in the API that
 * the request was written for it has a meaning.
 * @throws {ServiceError} `invalid_field`, `unsupported_field`
 */
export function parseDoorFields<Schema extends z.ZodObject>(
  schema: Schema,
  value: unknown,
  place = '',
): z.infer<Schema> {
  return parseFields(schema, value, { place, errorOf: unsupportedType })
}

function unsupportedType(error: z.ZodError, place: string): ServiceError {
  const issue = error.issues[0]
  const type = issue?.code === 'invalid_union' ? typeOf(issue) : undefined
  if (issue === undefined || type === undefined) return invalidField(error, place)
  const known = issue.message.replace(/^.*Expected /, '')
  const what = `"${type.slice(0, maxTypeChars)}" is not supported here, expected ${known}`
  return unsupported(place + issue.path.map(String).join('.'), what)
}

/** The type of a value that none of a union's schemas has. */
function typeOf({ discriminator, input }: z.core.$ZodIssueInvalidUnion): string | undefined {
  if (discriminator === undefined || typeof input !== 'object' || input === null) return undefined
  const type: unknown = input[discriminator as keyof typeof input]
  return typeof type === 'string' ? type : undefined
}
