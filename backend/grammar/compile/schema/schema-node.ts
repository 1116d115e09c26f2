import { maxDemanded } from '../../limits.ts'
import { below, SchemaProblem } from './schema-problem.ts'

/** A JSON object that should be a schema, and its position. */
export interface SchemaNode {
  readonly schema: Readonly<Record<string, unknown>>
  readonly pointer: string
  /** Number of schemas around it. */
  readonly depth: number
}

/** A schema, which may also be `true` or `false`, not inspected yet. */
export interface Unread {
  readonly value: unknown
  readonly pointer: string
  readonly depth: number
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function child({ schema, pointer, depth }: SchemaNode, keyword: string): Unread {
  return { value: schema[keyword], pointer: below(pointer, keyword), depth: depth + 1 }
}

/** The schemas of a list. @throws {SchemaProblem} when it is not a list, or empty */
export function childrenOf(node: SchemaNode, keyword: string): Unread[] {
  const { value, pointer, depth } = child(node, keyword)
  if (!Array.isArray(value) || value.length === 0) {
    throw new SchemaProblem(pointer, `"${keyword}" must be a list with at least one schema`)
  }
  return value.map((one: unknown, index) => ({ value: one, pointer: below(pointer, index), depth }))
}

/** The schemas of an object by name; none when it is absent. */
export function membersOf(node: SchemaNode, keyword: string): [name: string, schema: Unread][] {
  const { value, pointer, depth } = child(node, keyword)
  if (value === undefined) return []
  if (!isObject(value)) throw new SchemaProblem(pointer, `"${keyword}" must be an object`)
  return Object.entries(value).map(([name, one]) => [
    name,
    { value: one, pointer: below(pointer, name), depth: depth + 1 },
  ])
}

/** The required number of characters, items or properties; 0 when absent. */
export function leastOf(node: SchemaNode, keyword: string): number {
  const value = countOf(node, keyword) ?? 0
  if (value <= maxDemanded) return value
  const message = `"${keyword}" may be ${maxDemanded} at most, as no answer is longer, received ${value}`
  throw new SchemaProblem(below(node.pointer, keyword), message)
}

/** The allowed number of characters, items or properties; Infinity when absent. */
export function mostOf(node: SchemaNode, keyword: string): number {
  return countOf(node, keyword) ?? Infinity
}

function countOf({ schema, pointer }: SchemaNode, keyword: string): number | undefined {
  const value = schema[keyword]
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value
  throw new SchemaProblem(below(pointer, keyword), `"${keyword}" must be a whole number from 0`)
}

export function numberOf({ schema, pointer }: SchemaNode, keyword: string): number | undefined {
  const value = schema[keyword]
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value
  throw new SchemaProblem(below(pointer, keyword), `"${keyword}" must be a number`)
}

export function textOf({ schema, pointer }: SchemaNode, keyword: string): string | undefined {
  const value = schema[keyword]
  if (value === undefined || typeof value === 'string') return value
  throw new SchemaProblem(below(pointer, keyword), `"${keyword}" must be a string`)
}
