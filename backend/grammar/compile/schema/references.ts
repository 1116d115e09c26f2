import { isObject } from './schema-node.ts'
import { SchemaProblem } from './schema-problem.ts'

/** The target of a reference. */
export interface Target {
  readonly value: unknown
  /** In the form used by the pointers of problems. */
  readonly pointer: string
}

/**
 * Follows `#` and `#/...` (RFC 6901, in a URI's fragment).
 * @param root the whole schema
 * @param pointer of the reference itself
 * @throws {SchemaProblem} for other references, and for those that lead nowhere
 */
export function resolve(root: unknown, reference: unknown, pointer: string): Target {
  if (typeof reference !== 'string' || !/^#(\/|$)/.test(reference)) {
    const message = '"$ref" must be # or begin with #/: it can only refer to the same schema'
    throw new SchemaProblem(pointer, message)
  }
  const path = decode(reference.slice(1), pointer)
  let value = root
  for (const step of path.split('/').slice(1)) {
    value = memberOf(value, step.replaceAll('~1', '/').replaceAll('~0', '~'))
  }
  if (value === undefined) throw new SchemaProblem(pointer, '"$ref" refers to nothing')
  return { value, pointer: path }
}

function decode(fragment: string, pointer: string): string {
  try {
    return decodeURIComponent(fragment)
  } catch {
    throw new SchemaProblem(pointer, '"$ref" is not a valid URI')
  }
}

function memberOf(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return /^(0|[1-9]\d{0,8})$/.test(name) ? value[Number(name)] : undefined
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}
