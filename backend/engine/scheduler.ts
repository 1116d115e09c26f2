import type { PlannedRow, Schedulable, StepLimits, StepPlan } from './step-plan.ts'

/** Of so many turns, one is the oldest sequence's, however urgent the others are. */
const turnsPerOldest = 4

/** The sequence whose next image is encoded before the next step, if any. Parameters and order as in `planStep`. */
export function chooseImage<S extends Schedulable>(
  running: readonly S[],
  turn: number,
): S | undefined {
  return inOrder('vision', running, turn)[0]
}

/**
 * Every decoding sequence gets its one token, so that a long prompt never stops a stream. What is left of the budget
 * goes to prompts: in most steps first to tenants with few sequences running, then to prompts with little left, so that
 * one tenant's long prompts hold up neither another tenant nor a short question; in every fourth step to the oldest.
 * @param running sequences that hold a slot, longest first
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

/** Those in `phase`: the oldest first in its turn, else tenants with few sequences first, then short prompts. */
function inOrder<S extends Schedulable>(
  phase: 'vision' | 'prefill',
  running: readonly S[],
  turn: number,
): readonly S[] {
  const sequences = running.filter(({ status }) => status === phase)
  if (sequences.length < 2 || turn % turnsPerOldest === 0) return sequences
  const sequencesOf = new Map<string, number>()
  for (const { tenant } of running) sequencesOf.set(tenant, (sequencesOf.get(tenant) ?? 0) + 1)
  return sequences.toSorted((a, b) => {
    const difference = sequencesOf.get(a.tenant)! - sequencesOf.get(b.tenant)!
    return difference === 0 ? a.promptLeft - b.promptLeft : difference
  })
}
