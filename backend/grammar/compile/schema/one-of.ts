/** `oneOf` is accepted as a union if no value can match two branches: only clearly disjoint branches are supported. */
import { isOverlooked } from './inherited-names.ts'
import { assertionsOf, isJsonType, typesOf } from './keywords.ts'
import { isObject } from './schema-node.ts'

/** Resolves a schema's references; undefined where that is not possible. */
export type Follow = (schema: unknown) => Readonly<Record<string, unknown>> | undefined

/**
 * Whether no value matches both, as far as that is evident: by types, by constants, or by constants of a required
 * property.
 */
export function areApart(a: unknown, b: unknown, follow: Follow): boolean {
  const [first, second] = [follow(a), follow(b)]
  if (first === undefined || second === undefined) return false
  const [values, others] = [constantsOf(first), constantsOf(second)]
  if (values !== undefined && others !== undefined) return shareNothing(values, others)
  return typesApart(first, second) || tagsApart(first, second, follow)
}

/** As JSON text; undefined when there are others, or when their text does not distinguish them. */
function constantsOf(schema: Readonly<Record<string, unknown>>): ReadonlySet<string> | undefined {
  const values: unknown = 'const' in schema ? [schema['const']] : schema['enum']
  if (
    !Array.isArray(values) ||
    values.some((value) => typeof value === 'object' && value !== null)
  ) {
    return undefined
  }
  return new Set(values.map((value) => JSON.stringify(value)))
}

function shareNothing(a: ReadonlySet<unknown>, b: ReadonlySet<unknown>): boolean {
  return [...a].every((one) => !b.has(one))
}

function typesApart(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
): boolean {
  const [types, others] = [typeSetOf(a), typeSetOf(b)]
  return types.size > 0 && others.size > 0 && shareNothing(types, others)
}

/** Every type a value may have; empty when that is unspecified. */
function typeSetOf(schema: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const values: unknown = 'const' in schema ? [schema['const']] : schema['enum']
  if (Array.isArray(values)) return new Set(values.flatMap(typesOf))
  const types = [schema['type']].flat().filter(isJsonType)
  const withNull = schema['nullable'] === true ? [...types, 'null'] : types
  return new Set(withNull.flatMap((type) => (type === 'number' ? ['number', 'integer'] : [type])))
}

function tagsApart(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
  follow: Follow,
): boolean {
  if (![a, b].every(isObjectSchema)) return false
  const [tags, others] = [requiredOf(a), requiredOf(b)]
  return Object.entries(tags).some(
    ([name, schema]) => Object.hasOwn(others, name) && valuesApart(schema, others[name], follow),
  )
}

function valuesApart(a: unknown, b: unknown, follow: Follow): boolean {
  const [first, second] = [follow(a), follow(b)]
  const values = first && constantsOf(first)
  const others = second && constantsOf(second)
  return values !== undefined && others !== undefined && shareNothing(values, others)
}

function isObjectSchema(schema: Readonly<Record<string, unknown>>): boolean {
  const isPlain = assertionsOf(schema).every((keyword) => keyword !== 'nullable')
  return isPlain && (schema['type'] === 'object' || schema['type'] === undefined)
}

/** The schemas of required properties, by name, as far as validators see them. */
function requiredOf(schema: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { properties, required } = schema
  if (!isObject(properties) || !Array.isArray(required)) return {}
  const entries = Object.entries(properties)
  return Object.fromEntries(
    entries.filter(([name]) => required.includes(name) && !isOverlooked(name)),
  )
}
