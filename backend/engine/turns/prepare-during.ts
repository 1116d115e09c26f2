import { setImmediate as nextImmediate } from 'node:timers/promises'
import type { Sequence } from '../jobs/sequence.ts'
import { modelError } from './row-outcome.ts'

/**
 * Makes the masks of sequences while a step computes their logits, as long as it does so elsewhere: in a thread of a stage. A
 * step that occupies this thread is over before the first mask; masks that are not made by then are made for sampling.
 * After each mask, events have their turn: the next stage is begun, arrivals and cancellations are noticed.
 */
export async function prepareDuring(
  step: Promise<unknown>,
  sequences: readonly Pick<Sequence, 'prepare' | 'fail'>[],
): Promise<void> {
  let isOver = false
  const end = () => (isOver = true)
  step.then(end, end)
  for (const sequence of sequences) {
    await nextImmediate()
    if (isOver) return
    try {
      sequence.prepare()
    } catch (cause) {
      sequence.fail(modelError(cause))
    }
  }
}
