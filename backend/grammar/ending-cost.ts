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

/** What the members of an object cost, so that it is known from any property on without looking at all of them. */
export interface MemberCosts {
  readonly plan: ObjectPlan
  /** By property: bytes and number of the required ones from it on. */
  readonly requiredBytes: Float64Array
  readonly required: Int32Array
  /** By property: number of the others before it that have a text. */
  readonly optional: Int32Array
  /** Bytes of the first so many of those. */
  readonly optionalBytes: readonly number[]
  /** Bytes of another property; Infinity when there is none. */
  readonly extraBytes: number
}

/** @param extraKey bytes of the shortest key of another property */
export function memberCosts(plan: ObjectPlan, least: Least, extraKey: number): MemberCosts {
  const { properties, extra } = plan
  const requiredBytes = new Float64Array(properties.length + 1)
  const required = new Int32Array(properties.length + 1)
  const optional = new Int32Array(properties.length + 1)
  const optionalBytes = [0]
  const bytesOf = (at: number) => properties[at]!.keyBytes + least[properties[at]!.value]! + 1
  for (let at = properties.length - 1; at >= 0; at--) {
    const isRequired = properties[at]!.required
    requiredBytes[at] = requiredBytes[at + 1]! + (isRequired ? bytesOf(at) : 0)
    required[at] = required[at + 1]! + (isRequired ? 1 : 0)
  }
  for (let at = 0; at < properties.length; at++) {
    if (!properties[at]!.required && bytesOf(at) < Infinity)
      optionalBytes.push(optionalBytes.at(-1)! + bytesOf(at))
    optional[at + 1] = optionalBytes.length - 1
  }
  const extraBytes = extra === undefined ? Infinity : extraKey + 1 + least[extra.value]! + 1
  return { plan, requiredBytes, required, optional, optionalBytes, extraBytes }
}

/** From `count` members on, the last of which came before property `at`; including the brace. */
export function objectCost(costs: MemberCosts, at: number, count: number): number {
  const { plan, required, requiredBytes, optional, optionalBytes, extraBytes } = costs
  const spare = Math.max(0, plan.min - count - required[at]!)
  const from = optional[at]!
  const to = Math.min(from + spare, optionalBytes.length - 1)
  const extras = spare - (to - from)
  const members = required[at]! + spare
  if (extras > 1 || count + members > plan.max) return Infinity
  const bytes = 1 + requiredBytes[at]! + optionalBytes[to]! - optionalBytes[from]!
  return bytes + (extras > 0 ? extraBytes : 0) - (count === 0 && members > 0 ? 1 : 0)
}
