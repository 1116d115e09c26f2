import type { PlanId } from '../grammar.ts'
import { maxFreeDepth } from '../limits.ts'
import type { Drafts } from './drafts.ts'

/** Plans for any JSON, nested only to a limited depth, since nothing else would bound it. */
export interface AnyPlans {
  readonly value: PlanId
  readonly object: PlanId
}

export function addAnyPlans(drafts: Drafts): AnyPlans {
  const scalars = [
    drafts.add({ kind: 'piece', piece: drafts.string(0, Infinity)! }),
    drafts.add({ kind: 'piece', piece: drafts.number({ whole: false })! }),
    drafts.add({ kind: 'literal', texts: ['true', 'false', 'null'] }),
  ]
  let value = drafts.add({ kind: 'either', of: scalars })
  let object = addFreeObject(drafts, value)
  for (let depth = 1; depth < maxFreeDepth; depth++) {
    const array = drafts.add({ kind: 'array', first: [], items: value, min: 0, max: Infinity })
    value = drafts.add({ kind: 'either', of: [...scalars, array, object] })
    object = addFreeObject(drafts, value)
  }
  return { value, object }
}

function addFreeObject(drafts: Drafts, value: PlanId): PlanId {
  const key = drafts.string(0, Infinity)!
  return drafts.add({
    kind: 'object',
    properties: [],
    extra: { key, value },
    min: 0,
    max: Infinity,
  })
}
