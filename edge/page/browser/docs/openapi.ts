/** The part of an OpenAPI 3.1 document that the page shows. */
export interface OpenApi {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly tags?: readonly { readonly name: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description?: string
  readonly security: readonly object[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> }
  readonly responses: Readonly<Record<string, Answer>>
}

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly description?: string
  readonly schema: Schema
}

interface Answer {
  readonly description: string
  /** Absent where nothing is sent. */
  readonly content?: Readonly<Record<string, Content>>
}

export interface Content {
  readonly schema: Schema
  readonly example?: unknown
  /** Event name -> its data. */
  readonly 'x-event-data'?: Readonly<Record<string, Schema>>
}

export interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly additionalProperties?: Schema | boolean
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly format?: string
  readonly contentMediaType?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly maxProperties?: number
}

export type Schemas = OpenApi['components']['schemas']

export interface Route extends Operation {
  readonly method: string
  readonly path: string
}

/** The operations under each tag, in the order of the document's tags. */
export function routesByTag({ paths, tags = [] }: OpenApi): ReadonlyMap<string, readonly Route[]> {
  const groups = new Map<string, Route[]>(tags.map(({ name }) => [name, []]))
  for (const [path, operations] of Object.entries(paths)) {
    for (const [name, operation] of Object.entries(operations)) {
      const tag = operation.tags[0] ?? ''
      const route = { ...operation, path, method: name.toUpperCase() }
      groups.set(tag, [...(groups.get(tag) ?? []), route])
    }
  }
  return groups
}

/** The schema itself, following a reference. */
export function resolved(schema: Schema, schemas: Schemas): Schema {
  const name = nameOf(schema)
  return name === undefined ? schema : (schemas[name] ?? {})
}

/** The name of the schema that a reference leads to. */
export function nameOf({ $ref }: Schema): string | undefined {
  return $ref?.slice($ref.lastIndexOf('/') + 1)
}

/** What a value may be, one by one. */
export function alternativesOf({ anyOf, oneOf }: Schema): readonly Schema[] {
  return anyOf ?? oneOf ?? []
}
