import type { ObjectPlan } from '../grammar.ts'

/** What may come next in an object. */
export interface ObjectTurn {
  readonly mayClose: boolean
  /** Range of the declared properties that may come, both included; `from` > `to` if there are none. */
  readonly from: number
  readonly to: number
  readonly mayHaveExtra: boolean
}

/** The required properties of an object, which may have thousands. */
interface Required {
  /** By property: how many of those from it on are required. */
  readonly count: Int32Array
  /** By property: the first required one from it on, or -1. */
  readonly first: Int32Array
}

const known = new WeakMap<ObjectPlan, Required>()

/**
 * @param at the first property that may still come, since they keep their order
 * @param count number of members so far
 */
export function turnOf(plan: ObjectPlan, at: number, count: number): ObjectTurn {
  const { properties, extra, min, max } = plan
  const all = known.get(plan) ?? requiredOf(plan)
  const required = all.first[at]!
  const mayHaveMore = count + 1 + all.count[at]! <= max
  const isLast = required < 0
  // A property may be skipped only if it is not needed to reach `min`.
  const skippable = extra === undefined ? count + properties.length - min : properties.length - 1
  return {
    mayClose: isLast && count >= min,
    from: mayHaveMore || isLast ? at : required,
    to:
      isLast && !mayHaveMore ? -1 : Math.min(isLast ? properties.length - 1 : required, skippable),
    mayHaveExtra: extra !== undefined && isLast && mayHaveMore,
  }
}

function requiredOf(plan: ObjectPlan): Required {
  const { properties } = plan
  const count = new Int32Array(properties.length + 1)
  const first = new Int32Array(properties.length + 1).fill(-1)
  for (let at = properties.length - 1; at >= 0; at--) {
    const { required } = properties[at]!
    count[at] = count[at + 1]! + (required ? 1 : 0)
    first[at] = required ? at : first[at + 1]!
  }
  known.set(plan, { count, first })
  return { count, first }
}
