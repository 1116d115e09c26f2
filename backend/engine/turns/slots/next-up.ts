import type { JobPriority } from '../../job.ts'

interface Candidate {
  readonly priority: JobPriority
  /** Slots that its tenant holds. */
  readonly held: number
  /** Weight of its tenant. */
  readonly weight: number
}

interface Candidates<C> {
  /** Of tenants that hold no slot: the sequences that gave way, then the next in line. */
  readonly claims: readonly C[]
  /** All sequences that gave way, the longest-waiting first. */
  readonly paused: readonly C[]
  /** The first in line. */
  readonly first: C | undefined
}

/**
 * The next to get a free slot. A tenant without a slot overtakes the first in line, unless that one's tenant weighs
 * more: otherwise others would soon have to give way to a tenant only because its answers happened to end together.
 * Then, of the sequences that gave way and the first in line, the one whose tenant has fewer slots. It also waits for
 * memory. Nothing else may overtake it, or a sequence that needs much memory would wait forever.
 * @param hasRoom whether there is memory for one to begin or continue
 */
export function chooseNextUp<C extends Candidate>(
  { claims, paused, first }: Candidates<C>,
  hasRoom: (candidate: C) => boolean,
): C | undefined {
  const claim = claims.find((one) => hasRoom(one) && mayOvertake(one, first))
  if (claim !== undefined) return claim
  const fewest = Math.min(...paused.map(({ held }) => held))
  if (first !== undefined && first.held < fewest) return hasRoom(first) ? first : undefined
  const ready = paused.filter((one) => hasRoom(one))
  if (ready.length > 0) return ready.find(({ held }) => held === fewest) ?? ready[0]
  return first !== undefined && paused.length === 0 && hasRoom(first) ? first : undefined
}

function mayOvertake(claim: Candidate, first: Candidate | undefined): boolean {
  if (first === undefined) return true
  if (claim.priority !== first.priority) return claim.priority === 'interactive'
  return claim.weight >= first.weight
}
