import * as z from 'zod'

/** Whether a value can be a JSON schema. Which keywords it may have is the backend's to say. */
function isSchema(value: unknown): boolean {
  return (
    typeof value === 'boolean' ||
    (typeof value === 'object' && value !== null && !Array.isArray(value))
  )
}

const jsonSchema = z.object({
  name: z.string().max(64).optional(),
  description: z.string().optional(),
  /** Passed on as it is. */
  schema: z
    .unknown()
    .refine(isSchema, { error: 'expected a JSON schema: an object, true or false' }),
  /** Answers always keep to the schema. */
  strict: z.boolean().nullish(),
})

/** What the text of an answer has to be, as OpenAI's API spells it. */
export const responseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({ type: z.literal('json_schema'), json_schema: jsonSchema }),
])

/** What the text of an answer has to be: any JSON object, or what a schema says. */
export type AnswerFormat =
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema'
      /** JSON text. */
      readonly schema: string
      /** The client's field that the schema came in, for errors. */
      readonly field: string
    }

/** @returns undefined for any text */
export function formatOf(
  field: z.infer<typeof responseFormat> | undefined,
): AnswerFormat | undefined {
  switch (field?.type) {
    case undefined:
    case 'text':
      return undefined
    case 'json_object':
      return { type: 'json_object' }
    case 'json_schema':
      return {
        type: 'json_schema',
        schema: JSON.stringify(field.json_schema.schema),
        field: 'response_format.json_schema.schema',
      }
  }
}
