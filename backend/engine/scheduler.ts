import type { PlannedRow, Schedulable, StepLimits, StepPlan } from './step-plan.ts'

/** Sequences that get a slot now: first come, first served. */
export function chooseAdmissions<S>(waiting: readonly S[], freeSlots: number): readonly S[] {
  return waiting.slice(0, freeSlots)
}

/** The sequence whose next image is encoded before the next step, if any: the one that holds a slot longest. */
export function chooseImage<S extends Schedulable>(running: readonly S[]): S | undefined {
  return running.find((sequence) => sequence.status === 'vision')
}

/**
 * Every decoding sequence gets its one token, so that a long prompt never stops a stream. What is left of the budget
 * goes to prompts, first come, first served.
 * @param running sequences that hold a slot, longest first
 */
export function planStep<S extends Schedulable>(
  running: readonly S[],
  { stepTokenBudget, prefillChunkTokens }: StepLimits,
): StepPlan<S> {
  const plan: PlannedRow<S>[] = []
  for (const sequence of running) {
    if (sequence.status === 'decode') plan.push({ sequence, phase: 'decode', tokens: 1 })
  }
  let budget = stepTokenBudget - plan.length
  for (const sequence of running) {
    if (sequence.status !== 'prefill') continue
    const tokens = Math.min(sequence.promptLeft, prefillChunkTokens, budget)
    if (tokens < 1) break
    plan.push({ sequence, phase: 'prefill', tokens })
    budget -= tokens
  }
  return plan
}
