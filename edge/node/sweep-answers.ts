import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AnswerRegister } from '../idempotency/answer-register.ts'

/** Milliseconds between two looks for answers past their time. */
const everyMs = 60_000

/** Removes kept answers when their time is over, at once and then every minute, a few in each turn of the event loop. */
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
  // Tidying keeps no process alive.
  setInterval(() => void sweep(), everyMs).unref()
}
