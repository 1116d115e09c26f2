/** Turns drafts into a grammar: flattens unions, removes what has no text, and builds tries. */
import type { Grammar, ObjectPlan, PieceTables, Plan, PlanId } from '../grammar.ts'
import { maxAlternatives, maxAlternativesInAll, maxUnionSteps } from '../limits.ts'
import type { Draft, Drafts } from './drafts.ts'
import { arrayCost, eitherCost, memberCosts, objectCost } from '../ending-cost.ts'
import { reasonToWrite } from './schema/inherited-names.ts'
import { SchemaProblem } from './schema/schema-problem.ts'

/** @throws {SchemaProblem} when no text matches, or a union has too many alternatives */
export function finish(drafts: Drafts, root: PlanId): Omit<Grammar, 'key'> {
  flattenUnions(drafts)
  const least = leastOf(drafts)
  const endless = drafts.forced.find(({ value }) => least[value] === Infinity)
  if (endless !== undefined) {
    const message = `no value fits this property, or none that ever ends, and ${reasonToWrite(endless.name)}`
    throw new SchemaProblem(endless.pointer, message)
  }
  if (least[root] === Infinity) {
    throw new SchemaProblem('', 'no value fits this schema, or none that ever ends')
  }
  const plans = drafts.plans.map((draft) => planOf(draft, drafts, least))
  return { pieces: drafts.pieces, plans, least, root }
}

function flattenUnions(drafts: Drafts): void {
  let all = 0
  let steps = 0
  const unions = new Map<PlanId, Draft>()
  for (const [id, draft] of drafts.plans.entries()) {
    if (draft.kind !== 'either') continue
    const { members, followed } = membersOf(drafts, id)
    all += members.length
    steps += followed
    if (steps > maxUnionSteps) {
      throw new SchemaProblem('', 'chains of references and unions within unions are too long')
    }
    if (all > maxAlternativesInAll) {
      throw new SchemaProblem(
        '',
        `unions within unions have more than ${maxAlternativesInAll} alternatives`,
      )
    }
    unions.set(id, unionOf(drafts, members))
  }
  for (const [id, union] of unions) drafts.plans[id] = union
}

/** The flattened alternatives of a union, without itself and other unions; and how many were followed to find them. */
function membersOf({ plans }: Drafts, union: PlanId) {
  const seen = new Set([union])
  // The set grows while it is read.
  for (const id of seen) {
    const draft = plans[id]!
    if (draft.kind !== 'either') continue
    for (const one of draft.of) seen.add(one)
  }
  const members = [...seen].filter((id) => plans[id]!.kind !== 'either')
  return { members, followed: seen.size }
}

/** All its constants are merged into one member. */
function unionOf(drafts: Drafts, members: readonly PlanId[]): Draft {
  const texts = members.flatMap((id) => {
    const draft = drafts.plans[id]!
    return draft.kind === 'literal' ? draft.texts : []
  })
  const others = members.filter((id) => drafts.plans[id]!.kind !== 'literal')
  if (others.length >= maxAlternatives) {
    throw new SchemaProblem(
      '',
      `a union may have ${maxAlternatives} alternatives, this has ${members.length}`,
    )
  }
  if (others.length === 0) return drafts.literal(texts)
  const constants = texts.length > 0 ? [drafts.add(drafts.literal(texts))] : []
  return { kind: 'either', of: [...others, ...constants] }
}

/**
 * The smallest costs that are consistent for all plans, found by lowering them from infinity. Whenever one is lowered, only
 * the plans that refer to it are looked at again.
 */
function leastOf(drafts: Drafts): Float64Array {
  const { plans } = drafts
  const least = new Float64Array(plans.length).fill(Infinity)
  const users = usersOf(plans)
  const waiting = new Set([...plans.keys()].toReversed())
  // The set grows while it is read.
  for (const id of waiting) {
    waiting.delete(id)
    const cost = costOf(plans[id]!, drafts, least)
    if (cost >= least[id]!) continue
    least[id] = cost
    for (const user of users[id]!) waiting.add(user)
  }
  return least
}

/** By plan: those that refer to it. */
function usersOf(plans: readonly Draft[]): PlanId[][] {
  const users: PlanId[][] = plans.map(() => [])
  for (const [id, draft] of plans.entries()) {
    for (const used of new Set(partsOf(draft))) users[used]!.push(id)
  }
  return users
}

function partsOf(draft: Draft): readonly PlanId[] {
  switch (draft.kind) {
    case 'piece':
    case 'literal':
      return []
    case 'either':
      return draft.of
    case 'array':
      return draft.items === undefined ? draft.first : [...draft.first, draft.items]
    case 'object': {
      const values = draft.properties.map(({ value }) => value)
      return draft.extra === undefined ? values : [...values, draft.extra.value]
    }
  }
}

function costOf(draft: Draft, drafts: Drafts, least: Float64Array): number {
  switch (draft.kind) {
    case 'piece':
      return pieceCost(drafts.pieces[draft.piece]!)
    case 'literal':
      return draft.texts.reduce((bytes, text) => Math.min(bytes, Buffer.byteLength(text)), Infinity)
    case 'either':
      return eitherCost(draft, least)
    case 'array':
      return 1 + arrayCost(draft, least, 0)
    case 'object':
      return (
        1 +
        objectCost(
          memberCosts({ ...draft, keys: undefined }, least, extraKeyCost(draft, drafts)),
          0,
          0,
        )
      )
  }
}

function extraKeyCost({ extra }: Omit<ObjectPlan, 'keys'>, drafts: Drafts): number {
  return extra === undefined ? 0 : pieceCost(drafts.pieces[extra.key]!)
}

/** Bytes of its shortest text. */
function pieceCost(piece: PieceTables): number {
  switch (piece.kind) {
    case 'string':
      return 2 + piece.min
    case 'pattern':
      return 1 + piece.least[0]!
    case 'literal':
    case 'number':
      return piece.least[0]!
    case 'keys':
      return 0
  }
}

function planOf(draft: Draft, drafts: Drafts, least: Float64Array): Plan {
  const hasText = (id: PlanId) => least[id]! < Infinity
  switch (draft.kind) {
    case 'piece':
      return draft
    case 'literal':
      return { kind: 'piece', piece: drafts.literalPiece(draft.texts) }
    case 'either':
      return { kind: 'either', of: draft.of.filter(hasText) }
    case 'array': {
      const end = draft.first.findIndex((id) => !hasText(id))
      const first = end < 0 ? draft.first : draft.first.slice(0, end)
      const items =
        end < 0 && draft.items !== undefined && hasText(draft.items) ? draft.items : undefined
      return { ...draft, first, items }
    }
    case 'object': {
      const properties = draft.properties.filter(({ value }) => hasText(value))
      const extra =
        draft.extra !== undefined && hasText(draft.extra.value) ? draft.extra : undefined
      const keys =
        properties.length > 0 ? drafts.keysPiece(properties.map(({ key }) => key)) : undefined
      return { ...draft, properties, extra, keys }
    }
  }
}
