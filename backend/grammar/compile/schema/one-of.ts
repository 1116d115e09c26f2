/** `oneOf` is accepted as a union if no value can match two branches: only clearly disjoint branches are supported. */
import { isOverlooked } from './inherited-names.ts'
import { assertionsOf, isJsonType, typesOf } from './keywords.ts'
import { isObject } from './schema-node.ts'

type Schema = Readonly<Record<string, unknown>>

/** Resolves a schema's references; undefined where that is not possible. */
export type Follow = (schema: unknown) => Schema | undefined

/** What tells a branch apart from others. */
export interface BranchFacts {
  /** Its constants as JSON text; undefined when there are others, or when their text does not distinguish them. */
  readonly constants: ReadonlySet<string> | undefined
  /** Every type a value may have; empty when that is unspecified. */
  readonly types: ReadonlySet<string>
  /** The constants of required properties, by name. */
  readonly tags: ReadonlyMap<string, ReadonlySet<string>>
}

/** @returns undefined when its references cannot be resolved */
export function factsOf(branch: unknown, follow: Follow): BranchFacts | undefined {
  const schema = follow(branch)
  if (schema === undefined) return undefined
  return { constants: constantsOf(schema), types: typeSetOf(schema), tags: tagsOf(schema, follow) }
}

/**
 * Whether no value matches both, as far as that is evident: by types, by constants, or by constants of a required
 * property.
 */
export function areApart(a: BranchFacts | undefined, b: BranchFacts | undefined): boolean {
  if (a === undefined || b === undefined) return false
  if (a.constants !== undefined && b.constants !== undefined) {
    return shareNothing(a.constants, b.constants)
  }
  const areTyped = a.types.size > 0 && b.types.size > 0
  return (areTyped && shareNothing(a.types, b.types)) || tagsApart(a.tags, b.tags)
}

function constantsOf(schema: Schema): ReadonlySet<string> | undefined {
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
  const [fewer, more] = a.size < b.size ? [a, b] : [b, a]
  for (const one of fewer) if (more.has(one)) return false
  return true
}

function typeSetOf(schema: Schema): ReadonlySet<string> {
  const values: unknown = 'const' in schema ? [schema['const']] : schema['enum']
  if (Array.isArray(values)) return new Set(values.flatMap(typesOf))
  const types = [schema['type']].flat().filter(isJsonType)
  const withNull = schema['nullable'] === true ? [...types, 'null'] : types
  return new Set(withNull.flatMap((type) => (type === 'number' ? ['number', 'integer'] : [type])))
}

function tagsApart(a: BranchFacts['tags'], b: BranchFacts['tags']): boolean {
  const [fewer, more] = a.size < b.size ? [a, b] : [b, a]
  for (const [name, constants] of fewer) {
    const others = more.get(name)
    if (others !== undefined && shareNothing(constants, others)) return true
  }
  return false
}

/** None unless all its values are objects. Only properties that validators see count. */
function tagsOf(schema: Schema, follow: Follow): BranchFacts['tags'] {
  const tags = new Map<string, ReadonlySet<string>>()
  const { properties, required } = schema
  if (!isObjectSchema(schema) || !isObject(properties) || !Array.isArray(required)) return tags
  for (const name of new Set<unknown>(required)) {
    if (typeof name !== 'string' || !Object.hasOwn(properties, name) || isOverlooked(name)) continue
    const value = follow(properties[name])
    const constants = value && constantsOf(value)
    if (constants !== undefined) tags.set(name, constants)
  }
  return tags
}

function isObjectSchema(schema: Schema): boolean {
  const isPlain = assertionsOf(schema).every((keyword) => keyword !== 'nullable')
  return isPlain && (schema['type'] === 'object' || schema['type'] === undefined)
}
