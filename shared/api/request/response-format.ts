import * as z from 'zod'

/** Whether a value can be a JSON schema. The backend decides which keywords are supported. */
function isSchema(value: unknown): boolean {
  return (
    typeof value === 'boolean' ||
    (typeof value === 'object' && value !== null && !Array.isArray(value))
  )
}

/** Passed on as it is. */
export const answerSchema = z
  .unknown()
  .refine(isSchema, { error: 'expected a JSON schema: an object, true or false' })

const jsonSchema = z.object({
  name: z.string().max(64).optional(),
  description: z.string().optional(),
  schema: answerSchema,
  /** Answers always follow the schema. */
  strict: z.boolean().nullish(),
})

/** The required form of an answer, as OpenAI's API spells it. */
export const responseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({ type: z.literal('json_schema'), json_schema: jsonSchema }),
])

/** The required form of an answer: any JSON object, or what a schema describes. */
export type AnswerFormat =
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema'
      /** JSON text. */
      readonly schema: string
      /** The client's field that contained the schema, for errors. */
      readonly field: string
    }

/** A schema as other APIs send it. @param field the client's field that it came in */
export function schemaFormat(schema: unknown, field: string): AnswerFormat {
  return { type: 'json_schema', schema: JSON.stringify(schema), field }
}

/** @returns undefined when any text is allowed */
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
      return schemaFormat(field.json_schema.schema, 'response_format.json_schema.schema')
  }
}
