export type JsonType = 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'array' | 'object'

/** The keywords that restrict the values of each type. */
export const keywordsOfType: Readonly<Record<JsonType, readonly string[]>> = {
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
  boolean: [],
  null: [],
  array: ['items', 'prefixItems', 'minItems', 'maxItems'],
  object: [
    'properties',
    'required',
    'additionalProperties',
    'patternProperties',
    'minProperties',
    'maxProperties',
  ],
}

/** Each of these defines the value by itself; no other restriction is allowed next to it. */
const wholeKeywords = ['$ref', 'anyOf', 'oneOf', 'allOf', 'enum', 'const']

/** These have no effect in the standard either; `discriminator` is OpenAPI's, and tools write it beside `oneOf`. */
const annotations = [
  '$schema',
  '$comment',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'discriminator',
]

const limiting = [...new Set(Object.values(keywordsOfType).flat())]

/** In the order used by the documentation. */
export const supportedKeywords: readonly string[] = [
  'type',
  'nullable',
  ...wholeKeywords,
  ...limiting,
  ...annotations,
]

const supported: ReadonlySet<string> = new Set(supportedKeywords)

export function isSupported(keyword: string): boolean {
  return supported.has(keyword)
}

const silent: ReadonlySet<string> = new Set(annotations)

/** The keywords of a schema that restrict values. */
export function assertionsOf(schema: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(schema).filter((keyword) => !silent.has(keyword))
}

export function isJsonType(value: unknown): value is JsonType {
  return typeof value === 'string' && Object.hasOwn(keywordsOfType, value)
}

/** The types of a JSON value; a whole number has two. */
export function typesOf(value: unknown): readonly JsonType[] {
  if (value === null) return ['null']
  if (Array.isArray(value)) return ['array']
  if (typeof value === 'string') return ['string']
  if (typeof value === 'boolean') return ['boolean']
  if (typeof value === 'number') {
    return Number.isInteger(value) ? ['number', 'integer'] : ['number']
  }
  return ['object']
}
