import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AnswerRegister } from '../../idempotency/answer-register.ts'

/** Milliseconds between two searches for expired answers. */
const everyMs = 60_000

/** Removes expired answers, at once and then every minute, a few in each turn of the event loop. */
export function sweepAnswers(
  answers: Pick<AnswerRegister, 'removeExpired'>,
  onProblem: (error: unknown) => void,
): void {
  const sweep = async () => {
    try {
      while (answers.removeExpired()) await nextTurn()
    } catch (error) {
      onProblem(error)
    }
  }
  void sweep()
  // This timer must not keep the process alive.
  setInterval(() => void sweep(), everyMs).unref()
}
