/** Names that every object has in JavaScript, and what validators there, such as ajv, make of them. */
import { maxSchemaDepth } from '../../limits.ts'
import { isObject, type Unread } from './schema-node.ts'
import { SchemaProblem } from './schema-problem.ts'

const proto = '__proto__'

/**
 * Whether every object inherits such a property. Where an answer has none of its own, validators hold the inherited function
 * against its schema, so it is always written.
 */
export function isInherited(name: string): boolean {
  return name in Object.prototype && name !== proto
}

/** Why a property that is not required is always written. */
export function reasonToWrite(name: string): string {
  return `"${name}" is always written, because validators in JavaScript find it in every object`
}

/** Whether validators do not see that a property is declared. */
export function isOverlooked(name: string): boolean {
  return name === proto
}

/** @throws {SchemaProblem} for a property that validators take for an additional one */
export function checkDeclared(
  declared: readonly (readonly [name: string, schema: Unread])[],
  additional: unknown,
): void {
  const found = declared.find(([name]) => isOverlooked(name))
  if (found === undefined || additional === undefined || additional === true) return
  const message = `a property "${found[0]}" is not supported beside "additionalProperties": validators in JavaScript do not see that it is declared`
  throw new SchemaProblem(found[1].pointer, message)
}

/** @throws {SchemaProblem} for a constant that validators find different from itself, or fail to compare */
export function checkConstant(constant: unknown, pointer: string, depth = 0): void {
  if (depth > maxSchemaDepth) {
    throw new SchemaProblem(pointer, `constants may be nested ${maxSchemaDepth} levels deep`)
  }
  if (Array.isArray(constant)) {
    for (const item of constant as unknown[]) checkConstant(item, pointer, depth + 1)
  }
  if (!isObject(constant)) return
  for (const [name, value] of Object.entries(constant)) {
    if (!isComparable(name, value)) {
      const message = `a constant with a property "${name}" is not supported: validators in JavaScript cannot compare it`
      throw new SchemaProblem(pointer, message)
    }
    checkConstant(value, pointer, depth + 1)
  }
}

/** They call the first two, and compare the constructors of objects as such. */
function isComparable(name: string, value: unknown): boolean {
  if (name === 'valueOf' || name === 'toString') return false
  return name !== 'constructor' || typeof value !== 'object' || value === null
}
