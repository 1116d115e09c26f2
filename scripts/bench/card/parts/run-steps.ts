import { DeviceError } from '../../../../backend/model/accelerator/accelerator.ts'
import { errorText } from '../../../../shared/log/error-text.ts'
import type { BenchRow } from '../../measure.ts'
import type { Missing, Step } from './part.ts'

interface StepsEnd extends Missing {
  /** Whether the card failed, so that nothing more should be asked of this process. */
  readonly isLost: boolean
}

/** A step is begun when there is time for this many times the longest one before it: later ones are larger. */
const stepRatio = 1.5

/** That much time is enough to begin any. Milliseconds. */
const enoughMs = 10_000

/**
 * Runs steps one after the other while there is time for one more. If one fails, the others are still run, unless the
 * card failed.
 */
export async function* runSteps(
  steps: readonly Step[],
  leftMs: () => number,
): AsyncGenerator<BenchRow, StepsEnd> {
  const problems: string[] = []
  const ended = (isLost: boolean, leftOut: readonly Step[]): StepsEnd => ({
    problem: problems.length > 0 ? problems.join('; ') : undefined,
    leftOut: leftOut.map(({ name }) => name),
    isLost,
  })
  let longestMs = 0
  for (const [i, { name, run }] of steps.entries()) {
    if (leftMs() < Math.min(enoughMs, stepRatio * longestMs)) return ended(false, steps.slice(i))
    const start = performance.now()
    try {
      yield* run(leftMs)
    } catch (error) {
      problems.push(`${name}: ${errorText(error)}`)
      if (error instanceof DeviceError) return ended(true, steps.slice(i + 1))
    }
    longestMs = Math.max(longestMs, performance.now() - start)
  }
  return ended(false, [])
}
