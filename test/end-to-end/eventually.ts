import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds between two attempts. */
const pollMs = 10

/** Repeats `attempt` until it returns something true; otherwise the test's own time limit ends it. */
export async function eventually<Result>(
  attempt: () => Result | Promise<Result>,
): Promise<NonNullable<Result>> {
  for (;;) {
    const result = await attempt()
    if (result !== undefined && result !== null && result !== false) return result
    await delay(pollMs)
  }
}
