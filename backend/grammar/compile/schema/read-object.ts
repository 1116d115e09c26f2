import type { ObjectPlan, PieceId, PlanId, Property } from '../../grammar.ts'
import { maxProperties } from '../../limits.ts'
import { nothing, type Draft, type Drafts } from '../drafts.ts'
import { checkDeclared, isInherited, reasonToWrite } from './inherited-names.ts'
import { assertionsOf, isSupported } from './keywords.ts'
import { usable } from './read-types.ts'
import type { Target } from './references.ts'
import {
  child,
  isObject,
  leastOf,
  membersOf,
  mostOf,
  type SchemaNode,
  type Unread,
} from './schema-node.ts'
import { below, SchemaProblem } from './schema-problem.ts'

interface Surroundings {
  readonly planOf: (unread: Unread) => PlanId
  readonly anyObject: () => PlanId
  readonly resolve: (reference: unknown, pointer: string) => Target
}

export class ObjectReader {
  readonly #drafts: Drafts
  readonly #around: Surroundings
  #properties = 0

  constructor(drafts: Drafts, around: Surroundings) {
    this.#drafts = drafts
    this.#around = around
  }

  read(node: SchemaNode): Draft {
    const [min, max] = [leastOf(node, 'minProperties'), mostOf(node, 'maxProperties')]
    const declared = membersOf(node, 'properties')
    const names = declared.map(([name]) => name)
    const required = requiredOf(node)
    const missing = required.find(({ name }) => !names.includes(name))
    if (missing !== undefined) {
      throw new SchemaProblem(
        missing.pointer,
        '"required" names a property that "properties" does not have',
      )
    }
    checkDeclared(declared, node.schema['additionalProperties'])
    const requiredNames = new Set(required.map(({ name }) => name))
    const properties = this.#propertiesOf(node, declared, requiredNames)
    const extra = this.#extraOf(node, names)
    const written = properties.filter((property) => property.required).length
    if (extra !== undefined && min > Math.max(1, written)) {
      const message =
        '"minProperties" over 1 is not supported where other properties are allowed: their names might repeat'
      throw new SchemaProblem(below(node.pointer, 'minProperties'), message)
    }
    if (min > max || requiredNames.size > max) return nothing
    if (written > max) {
      const name = names.find((one) => isInherited(one) && !requiredNames.has(one))!
      const message = `too few for the ${written} properties of every answer: ${reasonToWrite(name)}`
      throw new SchemaProblem(below(node.pointer, 'maxProperties'), message)
    }
    return { kind: 'object', properties, extra, min, max }
  }

  /** Merges all parts of `allOf`, and what is next to it, into one object. */
  merged(node: SchemaNode, branches: readonly Unread[]): Draft {
    const { allOf: _, ...own } = node.schema
    const beside = assertionsOf(own).length > 0 ? [{ ...node, schema: own }] : []
    const parts = [...beside, ...branches.map((branch) => this.#part(branch))]
    const declared = parts.flatMap((part) => {
      checkMergeable(part)
      return membersOf(part, 'properties')
    })
    const names = new Set<string>()
    for (const [name, { pointer }] of declared) {
      if (names.has(name))
        throw new SchemaProblem(pointer, 'two parts of "allOf" have a property of this name')
      names.add(name)
    }
    const required = parts.flatMap(requiredOf)
    const missing = required.find(({ name }) => !names.has(name))
    if (missing !== undefined) {
      throw new SchemaProblem(
        missing.pointer,
        '"required" names a property that no part of "allOf" has',
      )
    }
    const requiredNames = new Set(required.map(({ name }) => name))
    const properties = this.#propertiesOf(node, declared, requiredNames)
    return { kind: 'object', properties, extra: undefined, min: 0, max: Infinity }
  }

  /** With its references resolved. */
  #part({ value, pointer, depth }: Unread): SchemaNode {
    let target: Target = { value, pointer }
    const seen = new Set<unknown>()
    while (isObject(target.value) && '$ref' in target.value && !seen.has(target.value)) {
      seen.add(target.value)
      target = this.#around.resolve(target.value['$ref'], below(target.pointer, '$ref'))
    }
    if (isObject(target.value)) return { schema: target.value, pointer: target.pointer, depth }
    throw new SchemaProblem(pointer, '"allOf" is supported for objects only')
  }

  #propertiesOf(
    { pointer }: SchemaNode,
    declared: readonly (readonly [name: string, schema: Unread])[],
    required: ReadonlySet<string>,
  ): Property[] {
    this.#properties += declared.length
    if (this.#properties > maxProperties) {
      const message = `all objects together may have ${maxProperties} properties, these are ${this.#properties}`
      throw new SchemaProblem(below(pointer, 'properties'), message)
    }
    return declared.map(([name, schema]) => {
      const key = `${JSON.stringify(name)}:`
      const value = this.#around.planOf(schema)
      const isRequired = required.has(name)
      const isForced = !isRequired && isInherited(name)
      if (isForced) this.#drafts.forced.push({ name, pointer: schema.pointer, value })
      return {
        key,
        keyBytes: Buffer.byteLength(key),
        value,
        required: isRequired || isForced,
      }
    })
  }

  /** Other properties; next to `properties`, there are none unless requested. */
  #extraOf(node: SchemaNode, names: readonly string[]): ObjectPlan['extra'] {
    const { schema } = node
    if ('patternProperties' in schema) return this.#ofPattern(node, names)
    const { additionalProperties: additional } = schema
    if (additional === false) return undefined
    if (additional === undefined && 'properties' in schema) return undefined
    const unread = child(node, 'additionalProperties')
    const value = this.#around.planOf(
      additional === undefined ? { ...unread, value: true } : unread,
    )
    const key = names.length === 0 ? this.#drafts.string(0, Infinity)! : this.#keyBut(node, names)
    return { key, value }
  }

  #keyBut({ pointer }: SchemaNode, names: readonly string[]): PieceId {
    const place = below(pointer, 'additionalProperties')
    return usable(place, () => this.#drafts.stringBut(names))
  }

  #ofPattern(node: SchemaNode, names: readonly string[]): ObjectPlan['extra'] {
    const place = below(node.pointer, 'patternProperties')
    const patterns = membersOf(node, 'patternProperties')
    const { additionalProperties: additional = false } = node.schema
    if (patterns.length !== 1 || names.length > 0 || additional !== false) {
      const message =
        '"patternProperties" is supported with one pattern, and without "properties" and "additionalProperties" beside it'
      throw new SchemaProblem(place, message)
    }
    const [[pattern, value]] = patterns as [[string, Unread]]
    const key = usable(value.pointer, () => this.#drafts.pattern(pattern, 0, Infinity))
    return key === undefined ? undefined : { key, value: this.#around.planOf(value) }
  }
}

/** The names, and the position of each. */
function requiredOf(node: SchemaNode): { readonly name: string; readonly pointer: string }[] {
  const { value, pointer } = child(node, 'required')
  if (value === undefined) return []
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string')) {
    throw new SchemaProblem(pointer, '"required" must be a list of names')
  }
  return value.map((name, index) => ({ name, pointer: below(pointer, index) }))
}

const mergeable = ['type', 'properties', 'required']

function checkMergeable({ schema, pointer }: SchemaNode): void {
  const unknown = Object.keys(schema).find((keyword) => !isSupported(keyword))
  const other = unknown ?? assertionsOf(schema).find((keyword) => !mergeable.includes(keyword))
  if (other !== undefined) {
    throw new SchemaProblem(
      below(pointer, other),
      `"${other}" is not supported within "allOf" of several parts`,
    )
  }
  if (schema['type'] === undefined || schema['type'] === 'object') return
  throw new SchemaProblem(
    below(pointer, 'type'),
    '"allOf" of several parts is supported for objects only',
  )
}
