import type { SequenceStatus } from '../jobs/phase-clock.ts'
import type { PlannedRow, Schedulable, StepLimits, StepPlan } from './step-plan.ts'

/** One turn in this many belongs to the oldest sequence, however urgent the others are. */
const turnsPerOldest = 8

/**
 * The sequence whose image is processed next, if any. Parameters and order as in `planStep`.
 * @param may whether a sequence's image may be processed now
 */
export function chooseImage<S extends Schedulable>(
  running: readonly S[],
  turn: number,
  may: (sequence: S) => boolean = () => true,
): S | undefined {
  return inOrder('vision', running, turn, may)[0]
}

/**
 * Every decoding sequence gets its one token, so that a long prompt never stops a stream. The rest of the budget goes
 * to prompts: in most steps to those of the tenants with the fewest running sequences, and first to those with little
 * left, so that one tenant's long prompts hold up neither another tenant nor a short question; in every eighth step
 * to the oldest.
 * @param running sequences that hold a slot, the longest-held first
 * @param turn number of the turn, counting up
 */
export function planStep<S extends Schedulable>(
  running: readonly S[],
  { stepTokenBudget, prefillChunkTokens }: StepLimits,
  turn: number,
): StepPlan<S> {
  const plan: PlannedRow<S>[] = []
  for (const sequence of running) {
    if (sequence.status === 'decode') plan.push({ sequence, phase: 'decode', tokens: 1 })
  }
  let budget = stepTokenBudget - plan.length
  for (const sequence of inOrder('prefill', running, turn)) {
    const tokens = Math.min(sequence.promptLeft, prefillChunkTokens, budget)
    if (tokens < 1) break
    plan.push({ sequence, phase: 'prefill', tokens })
    budget -= tokens
  }
  return plan
}

/**
 * True when some stream's tenant has fewer sequences running than any tenant whose prompt is read or image processed.
 */
export function streamsOfSmallTenants(running: readonly Schedulable[]): boolean {
  return fewestOf(running, ['decode']) < fewestOf(running, ['prefill', 'vision'])
}

/** True when a tenant whose prompt is read has fewer sequences running than any stream's tenant. */
export function promptsOfSmallTenants(running: readonly Schedulable[]): boolean {
  return fewestOf(running, ['prefill']) < fewestOf(running, ['decode'])
}

/** The smallest number of running sequences among tenants with some in these phases. */
function fewestOf(running: readonly Schedulable[], phases: readonly SequenceStatus[]): number {
  const sequencesOf = countByTenant(running)
  const own = running.filter(({ status }) => phases.includes(status))
  return Math.min(...own.map(({ tenant }) => sequencesOf.get(tenant)!))
}

/**
 * Sequences in `phase`, most urgent first: those of the tenants with the fewest running sequences, the shortest
 * prompt first. The others wait, because adding them would make the step longer. In every eighth turn all of them,
 * oldest first, so that none waits forever.
 */
function inOrder<S extends Schedulable>(
  phase: 'vision' | 'prefill',
  running: readonly S[],
  turn: number,
  may: (sequence: S) => boolean = () => true,
): readonly S[] {
  const sequences = running.filter((sequence) => sequence.status === phase && may(sequence))
  if (sequences.length < 2 || turn % turnsPerOldest === 0) return sequences
  const sequencesOf = countByTenant(running)
  const countOf = ({ tenant }: S) => sequencesOf.get(tenant)!
  const fewest = Math.min(...sequences.map(countOf))
  return sequences
    .filter((sequence) => countOf(sequence) === fewest)
    .toSorted((a, b) => a.promptLeft - b.promptLeft)
}

/** Number of sequences of each tenant. */
export function countByTenant(
  running: readonly Pick<Schedulable, 'tenant'>[],
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { tenant } of running) counts.set(tenant, (counts.get(tenant) ?? 0) + 1)
  return counts
}
