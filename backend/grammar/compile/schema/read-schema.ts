/** Turns a JSON schema (2020-12) into plans. Anything unknown is rejected, never ignored. */
import type { PlanId } from '../../grammar.ts'
import { maxEnumValues, maxOneOf, maxSchemaDepth } from '../../limits.ts'
import { addAnyPlans, type AnyPlans } from '../any-value.ts'
import { nothing, type Draft, type Drafts } from '../drafts.ts'
import {
  assertionsOf,
  isJsonType,
  isSupported,
  keywordsOfType,
  supportedKeywords,
  typesOf,
  type JsonType,
} from './keywords.ts'
import { checkConstant } from './inherited-names.ts'
import { areApart, factsOf } from './one-of.ts'
import { ObjectReader } from './read-object.ts'
import { readArray, readNumber, readString } from './read-types.ts'
import { resolve } from './references.ts'
import { child, childrenOf, isObject, type SchemaNode, type Unread } from './schema-node.ts'
import { below, SchemaProblem } from './schema-problem.ts'

/**
 * Reads a schema and everything it refers to.
 * @param root parsed JSON
 * @returns the plan of the whole text
 * @throws {SchemaProblem} for the first unsupported part
 */
export function readSchema(root: unknown, drafts: Drafts): PlanId {
  return new SchemaReader(root, drafts).read()
}

class SchemaReader {
  readonly #root: unknown
  readonly #drafts: Drafts
  readonly #objects: ObjectReader
  /** Every schema is read once, however often it is referenced. */
  readonly #plans = new Map<unknown, PlanId>()
  readonly #queue: { readonly node: SchemaNode; readonly plan: PlanId }[] = []
  #any: AnyPlans | undefined
  #enumValues = 0

  constructor(root: unknown, drafts: Drafts) {
    this.#root = root
    this.#drafts = drafts
    this.#objects = new ObjectReader(drafts, {
      planOf: (unread) => this.#planOf(unread),
      anyObject: () => this.#anyPlans().object,
      resolve: (reference, pointer) => resolve(root, reference, pointer),
    })
  }

  read(): PlanId {
    const plan = this.#planOf({ value: this.#root, pointer: '', depth: 0 })
    // The list grows while it is read: references may be circular, but each schema occurs once.
    for (const { node, plan: id } of this.#queue) this.#drafts.plans[id] = this.#draftOf(node)
    return plan
  }

  /** Puts a schema into the queue if it is new. */
  #planOf({ value, pointer, depth }: Unread): PlanId {
    if (value === true) return this.#anyPlans().value
    if (value === false) return this.#drafts.add(nothing)
    if (!isObject(value))
      throw new SchemaProblem(pointer, 'expected a schema: an object, true or false')
    if (depth > maxSchemaDepth) {
      throw new SchemaProblem(pointer, `schemas may be nested ${maxSchemaDepth} levels deep`)
    }
    const known = this.#plans.get(value)
    if (known !== undefined) return known
    const plan = this.#drafts.reserve()
    this.#plans.set(value, plan)
    this.#queue.push({ node: { schema: value, pointer, depth }, plan })
    return plan
  }

  #anyPlans(): AnyPlans {
    return (this.#any ??= addAnyPlans(this.#drafts))
  }

  #draftOf(node: SchemaNode): Draft {
    const { schema, pointer } = node
    for (const keyword of Object.keys(schema)) {
      if (!isSupported(keyword)) throw unknownKeyword(pointer, keyword)
    }
    const said = assertionsOf(schema)
    if (said.length === 0) return { kind: 'either', of: [this.#anyPlans().value] }
    if ('$ref' in schema) return alone(node, '$ref', () => this.#reference(node))
    if ('anyOf' in schema)
      return alone(node, 'anyOf', () => this.#either(childrenOf(node, 'anyOf')))
    if ('oneOf' in schema) return alone(node, 'oneOf', () => this.#oneOf(node))
    if ('allOf' in schema) return this.#allOf(node)
    if ('const' in schema || 'enum' in schema) return this.#constants(node)
    return this.#typed(node)
  }

  #reference(node: SchemaNode): Draft {
    const pointer = below(node.pointer, '$ref')
    const target = resolve(this.#root, node.schema['$ref'], pointer)
    return this.#either([{ ...target, depth: 0 }])
  }

  #either(branches: readonly Unread[]): Draft {
    return { kind: 'either', of: branches.map((branch) => this.#planOf(branch)) }
  }

  #oneOf(node: SchemaNode): Draft {
    const branches = childrenOf(node, 'oneOf')
    if (branches.length > maxOneOf) {
      const message = `"oneOf" may have ${maxOneOf} branches, this has ${branches.length}`
      throw new SchemaProblem(below(node.pointer, 'oneOf'), message)
    }
    const facts = branches.map(({ value }) => factsOf(value, (schema) => this.#follow(schema)))
    for (const [index, { pointer }] of branches.entries()) {
      const other = branches
        .slice(0, index)
        .find((_, earlier) => !areApart(facts[earlier], facts[index]))
      if (other === undefined) continue
      const message = `"oneOf" needs branches that are told apart by their types, by constants, or by constants of a required property; this one may overlap with ${other.pointer}; use "anyOf"`
      throw new SchemaProblem(pointer, message)
    }
    return this.#either(branches)
  }

  #follow(schema: unknown): SchemaNode['schema'] | undefined {
    let value = schema
    for (let hops = 0; isObject(value) && '$ref' in value; hops++) {
      if (hops === maxSchemaDepth) return undefined
      value = resolve(this.#root, value['$ref'], '').value
    }
    return isObject(value) ? value : undefined
  }

  #allOf(node: SchemaNode): Draft {
    const branches = childrenOf(node, 'allOf')
    const isAlone = assertionsOf(node.schema).length === 1
    return isAlone && branches.length === 1
      ? this.#either(branches)
      : this.#objects.merged(node, branches)
  }

  #constants(node: SchemaNode): Draft {
    const { schema, pointer } = node
    const keyword = 'const' in schema ? 'const' : 'enum'
    forbidBeside(node, keyword, [keyword, 'type', 'nullable'])
    const values: unknown = keyword === 'const' ? [schema['const']] : schema['enum']
    if (!Array.isArray(values) || values.length === 0) {
      throw new SchemaProblem(
        below(pointer, 'enum'),
        '"enum" must be a list with at least one value',
      )
    }
    this.#enumValues += values.length
    if (this.#enumValues > maxEnumValues) {
      const message = `all "enum" together may have ${maxEnumValues} values, these are ${this.#enumValues}`
      throw new SchemaProblem(below(pointer, 'enum'), message)
    }
    for (const value of values) checkConstant(value, below(pointer, keyword))
    const types = 'type' in schema ? typeListOf(node) : undefined
    const fitting = values.filter(
      (value) => types === undefined || typesOf(value).some((type) => types.includes(type)),
    )
    return this.#drafts.literal(fitting.map((value) => JSON.stringify(value)))
  }

  #typed(node: SchemaNode): Draft {
    const types = 'type' in node.schema ? typeListOf(node) : [impliedType(node)]
    checkApplies(node, types)
    // Whole numbers are numbers.
    const own = types.filter((type) => type !== 'integer' || !types.includes('number'))
    const drafts = own.map((type) => this.#ofType(node, type))
    if (drafts.length === 1) return drafts[0]!
    return { kind: 'either', of: drafts.map((draft) => this.#drafts.add(draft)) }
  }

  #ofType(node: SchemaNode, type: JsonType): Draft {
    switch (type) {
      case 'string':
        return readString(node, this.#drafts)
      case 'number':
      case 'integer':
        return readNumber(node, this.#drafts, type === 'integer')
      case 'boolean':
        return this.#drafts.literal(['true', 'false'])
      case 'null':
        return this.#drafts.literal(['null'])
      case 'array':
        return readArray(
          node,
          (unread) => this.#planOf(unread),
          () => this.#anyPlans().value,
        )
      case 'object':
        return this.#objects.read(node)
    }
  }
}

function unknownKeyword(pointer: string, keyword: string): SchemaProblem {
  const name = keyword.slice(0, 80)
  const message = `the keyword "${name}" is not supported; supported are ${supportedKeywords.join(', ')}`
  return new SchemaProblem(below(pointer, name), message)
}

function alone(node: SchemaNode, keyword: string, read: () => Draft): Draft {
  forbidBeside(node, keyword, [keyword])
  return read()
}

function forbidBeside(
  { schema, pointer }: SchemaNode,
  keyword: string,
  allowed: readonly string[],
): void {
  const other = assertionsOf(schema).find((one) => !allowed.includes(one))
  if (other === undefined) return
  throw new SchemaProblem(below(pointer, other), `"${other}" is not supported beside "${keyword}"`)
}

/** With `nullable` (OpenAPI 3.0), null too. */
function typeListOf(node: SchemaNode): JsonType[] {
  const { value, pointer } = child(node, 'type')
  const types = [value].flat()
  if (types.length === 0 || !types.every(isJsonType)) {
    const message = `"type" must be one of ${Object.keys(keywordsOfType).join(', ')}, or a list of them`
    throw new SchemaProblem(pointer, message)
  }
  const { nullable } = node.schema
  if (nullable !== undefined && typeof nullable !== 'boolean') {
    throw new SchemaProblem(below(node.pointer, 'nullable'), '"nullable" must be true or false')
  }
  return [...new Set(nullable === true ? [...types, 'null' as const] : types)]
}

/** Keywords that all belong to one type imply that type; other types, which the standard would allow, are excluded. */
function impliedType(node: SchemaNode): JsonType {
  const said = assertionsOf(node.schema)
  const implied = (['string', 'number', 'array', 'object'] as const).find((type) =>
    said.every((keyword) => keywordsOfType[type].includes(keyword)),
  )
  if (implied !== undefined) return implied
  throw new SchemaProblem(
    node.pointer,
    `"type" is needed beside ${said.map((one) => `"${one}"`).join(', ')}`,
  )
}

/** In the standard such keywords have no effect, which is hardly ever intended. */
function checkApplies(node: SchemaNode, types: readonly JsonType[]): void {
  const applying = new Set(['type', 'nullable', ...types.flatMap((type) => keywordsOfType[type])])
  const other = assertionsOf(node.schema).find((keyword) => !applying.has(keyword))
  if (other === undefined) return
  const message = `"${other}" does not apply to the type ${types.join(', ')}`
  throw new SchemaProblem(below(node.pointer, other), message)
}
