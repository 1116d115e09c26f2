import type { JobPriority } from '../job.ts'
import { countByTenant } from './scheduler.ts'

/**
 * Turns a sequence keeps its slot at least, times its tenant's weight. A newcomer waits that long at most; shorter turns
 * would let many tenants with one sequence each spend them on changing.
 */
const leastTurns = 16

/** An interactive sequence keeps its slot as many times as long against a batch one: a sixteenth is for batch work. */
const interactiveTurnsPerBatch = 16

interface Claimant {
  readonly tenant: string
  readonly priority: JobPriority
}

interface Holder extends Claimant {
  /** Turns since it got its slot. */
  readonly turns: number
  /** Of its tenant. */
  readonly weight: number
}

/** Most slots for batch work: one is kept for whoever comes, where there are several. */
export function batchSlots(count: number): number {
  return Math.max(1, count - 1)
}

/**
 * The sequence that gives way to one of a tenant with nothing running: of the tenant that holds most slots, batch work
 * first, then the one that has had its slot longest.
 * @param running longest first
 * @param may whether a sequence may be stopped where it is
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
 * The sequence that gives way to another one of its tenant, so that all of them get on: the one that has had its slot
 * longest.
 * @param running longest first
 * @param waiting `turns` are those since it gave way
 * @param may whether a sequence may be stopped where it is
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
