import * as z from 'zod'
import { ServiceError } from './errors.ts'
import { maxImages, maxPromptChars } from './limits.ts'
import { samplingFields, topLogprobsNeedLogprobs } from './sampling-fields.ts'

const generationFields = {
  prompt: z.string().min(1).max(maxPromptChars),
  system_prompt: z.string().max(maxPromptChars).optional(),
  /** Default: the server's MAX_TOKENS. Generation also ends where the model's context does. */
  max_tokens: z.int().min(1).optional(),
  ...samplingFields,
  stream: z.boolean().default(false),
  /** Milliseconds; then the answer ends with what it has. The server's own deadline may come earlier. */
  timeout_ms: z.int().min(1).optional(),
  /** Batch requests are served when no interactive ones wait, and now and then besides. */
  priority: z.enum(['interactive', 'batch']).default('interactive'),
}

/** `POST /generate/text`, and the fields of `POST /generate/image` beside its files. Unknown fields are ignored. */
export const generateFields = z.object(generationFields).check(topLogprobsNeedLogprobs)
export type GenerateFields = z.infer<typeof generateFields>

/** `POST /generate/image_url`, JSON or form; one URL or several. */
export const imageUrlFields = z
  .object({
    ...generationFields,
    image_url: z
      .union([
        z
          .string()
          .min(1)
          .transform((url) => [url]),
        z.array(z.string().min(1)).min(1),
      ])
      .refine((urls) => urls.length <= maxImages, {
        error: `at most ${maxImages} images are allowed in one request`,
      }),
  })
  .check(topLogprobsNeedLogprobs)
export type ImageUrlFields = z.infer<typeof imageUrlFields>

/** Checks `value` against `schema`. @throws {ServiceError} `invalid_field`, naming the first field at fault. */
export function parseFields<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.infer<Schema> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  throw invalidField(result.error)
}

/** The first issue of a zod error as the client's error: field, what was expected, and a scalar value at fault. */
export function invalidField(error: z.ZodError): ServiceError {
  const issue = error.issues[0]
  if (issue === undefined) return new ServiceError('invalid_field', 'The request is not valid')
  const param = issue.path.map(String).join('.')
  if (param === '') return new ServiceError('invalid_field', 'The request body must be an object')
  if (issue.input === undefined) {
    return new ServiceError('invalid_field', `${param} is required`, { param })
  }
  const value = received(issue.input)
  // The value says more than its type, which zod tells of some problems.
  const message = value === '' ? issue.message : issue.message.replace(/, received \w+$/, '')
  return new ServiceError('invalid_field', `${param}: ${message}${value}`, { param })
}

function received(input: unknown): string {
  if (typeof input === 'number' || typeof input === 'boolean') return `, received ${String(input)}`
  if (Array.isArray(input)) return `, received ${input.length} items`
  if (typeof input === 'string') {
    return input.length <= 40 ? `, received "${input}"` : `, received ${input.length} characters`
  }
  return ''
}

/** True when the caller wants server-sent events: by the field, or by `Accept`. */
export function wantsStream(fields: { stream: boolean }, acceptHeader: string | null): boolean {
  return fields.stream || /\btext\/event-stream\b/i.test(acceptHeader ?? '')
}
