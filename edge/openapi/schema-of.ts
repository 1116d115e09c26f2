import * as z from 'zod'

/** A JSON schema of draft 2020-12, the dialect of OpenAPI 3.1. */
export type JsonSchema = Record<string, unknown>

/** What a client may send for `schema`. Checks written as functions are not shown. */
export function schemaOf(schema: z.core.$ZodType): JsonSchema {
  const json: JsonSchema = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => complete(zodSchema, jsonSchema),
  })
  delete json.$schema
  return json
}

function complete(schema: z.core.$ZodType, json: JsonSchema): void {
  dropIntegerBounds(json)
  showWhatIsCounted(schema, json)
  allowText(json)
  referToShown(json)
}

/** zod adds the range of safe integers to every integer. */
function dropIntegerBounds(json: JsonSchema): void {
  if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum
  if (json.minimum === Number.MIN_SAFE_INTEGER) delete json.minimum
}

/** `atMost()` accepts anything; the schema after it describes the value. */
function showWhatIsCounted(schema: z.core.$ZodType, json: JsonSchema): void {
  if (!('atMost' in json) || !(schema instanceof z.ZodPipe)) return
  const { out } = schema.def
  if (out instanceof z.ZodTransform) return
  const { atMost, ...others } = json
  const counted = schemaOf(out)
  const limit = counted.type === 'array' ? { maxItems: atMost } : { maxProperties: atMost }
  replace(json, { ...counted, ...limit, ...others })
}

/** A text in place of a list or an object with only that text. */
function allowText(json: JsonSchema): void {
  const { alsoText, ...listed } = json
  if (alsoText !== true) return
  replace(json, { anyOf: [{ type: 'string' }, listed] })
}

/** A schema that checks little by itself names the one that documents it. */
function referToShown(json: JsonSchema): void {
  const { shownAs } = json
  if (typeof shownAs === 'string') replace(json, { $ref: `#/components/schemas/${shownAs}` })
}

function replace(json: JsonSchema, by: JsonSchema): void {
  for (const name of Object.keys(json)) delete json[name]
  Object.assign(json, by)
}
