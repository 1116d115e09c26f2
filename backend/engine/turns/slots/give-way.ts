import type { JobPriority } from '../../job.ts'
import { countByTenant } from '../scheduler.ts'

/**
 * The fewest turns a sequence keeps its slot, times its tenant's weight. This is also the longest a newcomer waits;
 * with shorter turns, many tenants with one sequence each would spend them on switching.
 */
const leastTurns = 16

/** How many times as long an interactive sequence keeps its slot against a batch one: batch work gets a sixteenth. */
const interactiveTurnsPerBatch = 16

interface Claimant {
  readonly tenant: string
  readonly priority: JobPriority
}

interface Holder extends Claimant {
  /** Turns since it got its slot. */
  readonly turns: number
  /** Weight of its tenant. */
  readonly weight: number
}

/**
 * Whether one more sequence may hold a slot. Batch work may not hold the last one, which is kept free for interactive
 * arrivals, if there are several.
 * @param count of slots
 */
export function mayHoldSlot(
  { priority }: Pick<Claimant, 'priority'>,
  running: readonly Pick<Claimant, 'priority'>[],
  count: number,
): boolean {
  if (priority === 'interactive') return true
  const batch = running.filter((holder) => holder.priority === 'batch').length
  return batch < Math.max(1, count - 1)
}

/**
 * The sequence that gives way to one of a tenant with nothing running: it belongs to the tenant that holds the most
 * slots, batch work comes first, then the one that has had its slot longest.
 * @param running the longest-held first
 * @param may whether a sequence may be stopped at its current point
 */
export function chooseToPause<H extends Holder>(
  running: readonly H[],
  claimant: Claimant,
  may: (holder: H) => boolean,
): H | undefined {
  const counts = countByTenant(running)
  counts.delete(claimant.tenant)
  const most = Math.max(...counts.values())
  const candidates = running.filter(
    (holder) => counts.get(holder.tenant) === most && hadItsTurns(holder, claimant) && may(holder),
  )
  return candidates.find(({ priority }) => priority === 'batch') ?? candidates[0]
}

/**
 * The sequence that gives way to another one of its own tenant, so that all of them progress: the one that has had
 * its slot longest.
 * @param running the longest-held first
 * @param waiting its `turns` are those since it gave way
 * @param may whether a sequence may be stopped at its current point
 */
export function chooseToRotate<H extends Holder>(
  running: readonly H[],
  waiting: Holder,
  may: (holder: H) => boolean,
): H | undefined {
  if (waiting.turns < leastTurns * waiting.weight) return undefined
  return running.find(
    (holder) => holder.tenant === waiting.tenant && hadItsTurns(holder, waiting) && may(holder),
  )
}

function hadItsTurns({ turns, weight, priority }: Holder, claimant: Claimant): boolean {
  const against = claimant.priority === 'batch' && priority === 'interactive'
  return turns >= leastTurns * weight * (against ? interactiveTurnsPerBatch : 1)
}
