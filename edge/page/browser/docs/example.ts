import { alternativesOf, nameOf, resolved, type Schema, type Schemas } from './openapi.ts'

/** Nesting depth up to which lists and objects are filled. */
const maxDepth = 12

/** A value that matches the schema: with all required fields, or, for answers, with all fields. */
export function exampleOf(schema: Schema, schemas: Schemas, wantsAll: boolean, depth = 0): unknown {
  const { const: constant, default: standard, enum: values } = schema
  if (nameOf(schema) !== undefined)
    return exampleOf(resolved(schema, schemas), schemas, wantsAll, depth)
  if (constant !== undefined) return constant
  if (standard !== undefined) return standard
  if (values !== undefined) return values[0]
  const [alternative] = alternativesOf(schema)
  if (alternative !== undefined) return exampleOf(alternative, schemas, wantsAll, depth)
  const inner = (one: Schema) => exampleOf(one, schemas, wantsAll, depth + 1)
  const [type = 'any'] = [schema.type ?? []].flat()
  switch (type) {
    case 'object':
      return depth > maxDepth ? {} : exampleObject(schema, wantsAll, inner)
    case 'array':
      return depth > maxDepth || schema.items === undefined ? [] : [inner(schema.items)]
    case 'string':
      return schema.format === 'date-time' ? '2026-11-22T16:40:06.763Z' : '…'
    case 'number':
    case 'integer':
      return schema.minimum ?? 0
    case 'boolean':
      return false
    default:
      return null
  }
}

function exampleObject(
  { properties = {}, required = [] }: Schema,
  wantsAll: boolean,
  inner: (schema: Schema) => unknown,
): object {
  const wanted = Object.entries(properties).filter(([name]) => wantsAll || required.includes(name))
  return Object.fromEntries(wanted.map(([name, schema]) => [name, inner(schema)]))
}
