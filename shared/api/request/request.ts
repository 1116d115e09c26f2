import * as z from 'zod'
import { ServiceError } from '../errors.ts'
import { maxImages, maxPromptChars } from '../limits.ts'
import { acceptsEvents } from '../wire/accept.ts'
import { atMost } from './at-most.ts'
import { responseFormat } from './response-format.ts'
import { samplingFields, topLogprobsNeedLogprobs } from './sampling-fields.ts'

/** Characters of a field's path that an error repeats. A key within it may be as long as the body. */
const maxParamChars = 80

const generationFields = {
  prompt: z.string().min(1).max(maxPromptChars),
  system_prompt: z.string().max(maxPromptChars).optional(),
  /** Defaults to the server's MAX_TOKENS. Generation also ends where the model's context does. */
  max_tokens: z.int().min(1).optional(),
  ...samplingFields,
  /** Default: any text. */
  response_format: responseFormat.optional(),
  /** Where it is absent, `Accept` decides. */
  stream: z.boolean().optional(),
  /** Milliseconds after which the answer ends with what it has. The server's own deadline may come earlier. */
  timeout_ms: z.int().min(1).optional(),
  /** Batch requests run when no interactive ones wait, and now and then in between. */
  priority: z.enum(['interactive', 'batch']).default('interactive'),
}

/** `POST /generate/text`, and the non-file fields of `POST /generate/image`. Unknown fields are ignored. */
export const generateFields = z.object(generationFields).check(topLogprobsNeedLogprobs)
export type GenerateFields = z.infer<typeof generateFields>

const imageUrl = z
  .string({ error: ({ input }) => (input === undefined ? undefined : 'expected a URL as text') })
  .trim()
  .min(1)

const imageUrls = atMost(maxImages, `at most ${maxImages} images are allowed in one request`)
  .refine((value) => value === undefined || typeof value === 'string' || Array.isArray(value), {
    error: 'expected a URL as text, or a list of them',
    abort: true,
  })
  .transform((value) => (typeof value === 'string' ? [value] : value))
  .pipe(z.array(imageUrl).min(1))
  .meta({ alsoText: true })

/** `POST /generate/image_url`, as JSON or a form; one URL or several. */
export const imageUrlFields = z
  .object({
    ...generationFields,
    image_url: imageUrls,
  })
  .check(topLogprobsNeedLogprobs)
export type ImageUrlFields = z.infer<typeof imageUrlFields>

interface FieldOptions {
  /** Path of the value in the request, with its final dot. */
  readonly place?: string
  /** The error for the issues found. */
  readonly errorOf?: (error: z.ZodError, place: string) => ServiceError
}

/**
 * Checks `value` against `schema`. A null field counts as absent, because typed clients write null for what was not set.
 * @throws {ServiceError} `invalid_field`, naming the first field at fault
 */
export function parseFields<Schema extends z.ZodObject>(
  schema: Schema,
  value: unknown,
  { place = '', errorOf = invalidField }: FieldOptions = {},
): z.infer<Schema> {
  const result = schema.safeParse(sentFields(value, schema), { reportInput: true })
  if (result.success) return result.data
  throw errorOf(result.error, place)
}

/** The sent fields that the schema knows. */
function sentFields(value: unknown, { shape }: z.ZodObject): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const sent = Object.keys(shape)
    .filter((name) => Object.hasOwn(value, name))
    .map((name) => [name, value[name as keyof typeof value] as unknown] as const)
  return Object.fromEntries(sent.filter(([, field]) => field !== null))
}

/** The first issue of a zod error as the client's error: the field, what was expected, and a scalar offending value. */
export function invalidField(error: z.ZodError, place = ''): ServiceError {
  const issue = error.issues[0]
  if (issue === undefined) return new ServiceError('invalid_field', 'The request is not valid')
  const param = (place + issue.path.map(String).join('.')).slice(0, maxParamChars)
  if (param === '') return new ServiceError('invalid_field', 'The request body must be an object')
  if (issue.input === undefined) {
    return new ServiceError('invalid_field', `${param} is required`, { param })
  }
  const value = received(issue.input)
  // The value says more than its type, which zod's message names for some problems.
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

/** True when the caller wants server-sent events: `stream` decides, otherwise `Accept`. */
export function wantsStream(
  { stream }: Pick<GenerateFields, 'stream'>,
  acceptHeader: string | null,
): boolean {
  return stream ?? acceptsEvents(acceptHeader)
}
