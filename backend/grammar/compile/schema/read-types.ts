import type { PlanId } from '../../grammar.ts'
import { holdsNumbers, maxDigits } from '../number-range.ts'
import { nothing, type Draft, type Drafts } from '../drafts.ts'
import { formatPatterns } from './formats.ts'
import {
  child,
  childrenOf,
  leastOf,
  mostOf,
  numberOf,
  textOf,
  type SchemaNode,
  type Unread,
} from './schema-node.ts'
import { below, SchemaProblem } from './schema-problem.ts'

function pieceOrNothing(piece: number | undefined): Draft {
  return piece === undefined ? nothing : { kind: 'piece', piece }
}

export function readString(node: SchemaNode, drafts: Drafts): Draft {
  const [min, max] = [leastOf(node, 'minLength'), mostOf(node, 'maxLength')]
  const keyword = 'format' in node.schema ? 'format' : 'pattern'
  const pattern = keyword === 'format' ? formatOf(node) : textOf(node, 'pattern')
  if (pattern === undefined) return pieceOrNothing(drafts.string(min, max))
  return pieceOrNothing(
    usable(below(node.pointer, keyword), () => drafts.pattern(pattern, min, max)),
  )
}

function formatOf(node: SchemaNode): string {
  const format = textOf(node, 'format') ?? ''
  const pattern = formatPatterns.get(format)
  if ('pattern' in node.schema) {
    throw new SchemaProblem(
      below(node.pointer, 'pattern'),
      '"pattern" is not supported beside "format"',
    )
  }
  if (pattern !== undefined) return pattern
  const message = `the format "${format.slice(0, 80)}" is not supported; supported are ${[...formatPatterns.keys()].join(', ')}`
  throw new SchemaProblem(below(node.pointer, 'format'), message)
}

/** @throws {SchemaProblem} for the pattern at `pointer`, when it cannot be used */
export function usable<Value>(pointer: string, make: () => Value): Value {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new SchemaProblem(pointer, `not supported: ${error.message}`)
  }
}

export function readNumber(node: SchemaNode, drafts: Drafts, whole: boolean): Draft {
  const [minimum, maximum] = [numberOf(node, 'minimum'), numberOf(node, 'maximum')]
  const exclusiveMinimum = numberOf(node, 'exclusiveMinimum')
  const exclusiveMaximum = numberOf(node, 'exclusiveMaximum')
  const bounds = { whole, minimum, maximum, exclusiveMinimum, exclusiveMaximum }
  const piece = usable(node.pointer, () => drafts.number(bounds))
  if (piece === undefined && holdsNumbers(bounds)) {
    const keyword = boundKeywords.find((one) => one in node.schema) ?? ''
    const message = `answers have numbers of at most ${maxDigits} digits, without exponents: none is within these bounds`
    throw new SchemaProblem(below(node.pointer, keyword), message)
  }
  return pieceOrNothing(piece)
}

const boundKeywords = ['minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum'] as const

/**
 * @param planOf of a schema
 * @param anyValue called when items may be anything
 */
export function readArray(
  node: SchemaNode,
  planOf: (unread: Unread) => PlanId,
  anyValue: () => PlanId,
): Draft {
  const first = 'prefixItems' in node.schema ? childrenOf(node, 'prefixItems').map(planOf) : []
  const [min, max] = [leastOf(node, 'minItems'), mostOf(node, 'maxItems')]
  const items =
    'items' in node.schema ? planOf(child(node, 'items')) : itemsUnsaid(first.length, min, anyValue)
  if (min > max) return nothing
  return { kind: 'array', first, items, min, max }
}

/** After `prefixItems` there are no further items, unless more are required. */
function itemsUnsaid(first: number, min: number, anyValue: () => PlanId): PlanId | undefined {
  return first > 0 && min <= first ? undefined : anyValue()
}
