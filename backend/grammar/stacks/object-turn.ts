import type { ObjectPlan } from '../grammar.ts'

/** What may come next in an object. */
export interface ObjectTurn {
  readonly mayClose: boolean
  /** Range of the declared properties that may come, both included; `from` > `to` if there are none. */
  readonly from: number
  readonly to: number
  readonly mayHaveExtra: boolean
}

/**
 * @param at the first property that may still come, since they keep their order
 * @param count number of members so far
 */
export function turnOf(
  { properties, extra, min, max }: ObjectPlan,
  at: number,
  count: number,
): ObjectTurn {
  const required = properties.findIndex((property, index) => index >= at && property.required)
  const stillRequired = properties.filter(
    (property, index) => index >= at && property.required,
  ).length
  const mayHaveMore = count + 1 + stillRequired <= max
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
