/**
 * Bytes of the ending that is written when tokens run out: the fewest that the still required text takes, in the
 * required order. It is a short ending, but not always the shortest.
 */
import type { ArrayPlan, EitherPlan, ObjectPlan, PlanId } from './grammar.ts'

/** By plan; Infinity where no text ends. */
export type Least = Pick<Float64Array, number>

export function itemOf({ first, items }: ArrayPlan, index: number): PlanId | undefined {
  return first[index] ?? items
}

export function eitherCost({ of }: EitherPlan, least: Least): number {
  return of.reduce((smallest, plan) => Math.min(smallest, least[plan]!), Infinity)
}

/** From `count` items on, including the bracket. */
export function arrayCost(plan: ArrayPlan, least: Least, count: number): number {
  const { first, items, min } = plan
  if (min > plan.max) return Infinity
  let bytes = 1
  let at = count
  for (; at < Math.min(min, first.length); at++) bytes += least[first[at]!]! + (at > 0 ? 1 : 0)
  if (at >= min) return bytes
  if (items === undefined) return Infinity
  return bytes + (min - at) * (least[items]! + 1) - (at === 0 ? 1 : 0)
}

/** The properties that an ending writes. */
export interface MissingMembers {
  /** Their numbers, in ascending order. */
  readonly properties: readonly number[]
  /** Number of other properties: none or one. */
  readonly extras: number
}

/** @returns undefined when there cannot be enough */
export function missingMembers(
  { properties, extra, min, max }: ObjectPlan,
  least: Least,
  at: number,
  count: number,
): MissingMembers | undefined {
  const left = properties.slice(at)
  let spare = min - count - left.filter(({ required }) => required).length
  const missing: number[] = []
  for (const [index, { required, value }] of left.entries()) {
    const isSpare = !required && spare > 0 && least[value]! < Infinity
    if (isSpare) spare -= 1
    if (required || isSpare) missing.push(at + index)
  }
  const extras = spare > 0 && extra !== undefined && least[extra.value]! < Infinity ? 1 : 0
  if (spare > extras || count + missing.length + extras > max) return undefined
  return { properties: missing, extras }
}

/**
 * From `count` members on, the last of which came before property `at`; including the brace.
 * @param extraKey bytes of the shortest key of another property
 */
export function objectCost(
  plan: ObjectPlan,
  least: Least,
  {
    at,
    count,
    extraKey,
  }: { readonly at: number; readonly count: number; readonly extraKey: number },
): number {
  const missing = missingMembers(plan, least, at, count)
  if (missing === undefined) return Infinity
  let bytes = 1
  for (const number of missing.properties) {
    const { keyBytes, value } = plan.properties[number]!
    bytes += keyBytes + least[value]! + 1
  }
  if (missing.extras > 0) bytes += extraKey + 1 + least[plan.extra!.value]! + 1
  const isFirst = count === 0 && missing.properties.length + missing.extras > 0
  return bytes - (isFirst ? 1 : 0)
}
