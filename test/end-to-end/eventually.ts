import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds between two looks. */
const pollMs = 10

/** Repeats `attempt` until it returns something true; the test's own time limit ends it otherwise. */
export async function eventually<Result>(
  attempt: () => Result | Promise<Result>,
): Promise<NonNullable<Result>> {
  for (;;) {
    const result = await attempt()
    if (result !== undefined && result !== null && result !== false) return result
    await delay(pollMs)
  }
}
