import { openApiDocument } from '../../../edge/openapi/document.ts'
import { validatorOf } from '../test-ajv.ts'

export type Schema = Readonly<Record<string, unknown>>

interface Content {
  readonly [type: string]: { readonly schema: Schema }
}

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly schema: Schema
}

/** One route, as the document describes it. */
export interface Operation {
  readonly name: string
  readonly method: string
  /** With `{id}` where an id belongs. */
  readonly path: string
  readonly needsKey: boolean
  readonly parameters: readonly Parameter[]
  /** Media type -> schema of the body; empty where there is none. */
  readonly bodies: Content
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>
}

interface DocumentedOperation extends Pick<Operation, 'responses'> {
  readonly operationId: string
  readonly security: readonly unknown[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Content }
}

const document = JSON.parse(JSON.stringify(openApiDocument())) as {
  readonly paths: Record<string, Record<string, DocumentedOperation>>
  readonly components: { readonly schemas: Record<string, Schema> }
}

export const operations: readonly Operation[] = Object.entries(document.paths).flatMap(
  ([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: operation.operationId,
      method: method.toUpperCase(),
      path,
      needsKey: operation.security.length > 0,
      parameters: operation.parameters ?? [],
      bodies: operation.requestBody?.content ?? {},
      responses: operation.responses,
    })),
)

export function operationNamed(name: string): Operation {
  const found = operations.find((operation) => operation.name === name)
  if (found === undefined) throw new RangeError(`There is no operation ${name}`)
  return found
}

/** The schema itself, or the one that it refers to. */
export function resolved(schema: Schema): Schema {
  const { $ref: reference } = schema
  if (typeof reference !== 'string') return schema
  const found = document.components.schemas[reference.replace('#/components/schemas/', '')]
  if (found === undefined) throw new RangeError(`The document has no ${reference}`)
  return found
}

const validators = new Map<Schema, (value: unknown) => boolean>()

/** Whether the document says that an operation may answer like this. @returns what is wrong, or undefined */
export function disagreement(
  { name, responses }: Operation,
  answer: { readonly status: number; readonly type: string; readonly text: string },
): string | undefined {
  const { status, text } = answer
  const response = responses[status]
  if (response === undefined) return `${name} answered ${status}, which is not documented: ${text}`
  if (response.content === undefined) {
    return text === '' ? undefined : `${name} answered ${status} with a body: ${text}`
  }
  const type = answer.type.replace(/;.*/, '')
  const schema = response.content[type]?.schema
  if (schema === undefined)
    return `${name} answered ${status} with ${type}, not documented: ${text}`
  if (type !== 'application/json') return undefined
  const validate =
    validators.get(schema) ?? validatorOf({ ...schema, components: document.components })
  validators.set(schema, validate)
  return validate(JSON.parse(text))
    ? undefined
    : `${name} answered ${status} in another form: ${text}`
}
