/** Runs `start` when it is its turn. Rejects with the signal's reason on abort, also while the work goes on. */
export type TaskGate = <Result>(
  start: () => Promise<Result>,
  signal: AbortSignal,
) => Promise<Result>

/**
 * Lets at most `limit` tasks run at a time, the others wait in the order they came. An aborted task that waits is
 * forgotten; one that runs keeps its place until it is done, for it still uses its thread.
 */
export function createTaskGate(limit: number): TaskGate {
  let running = 0
  const waiting = new Set<() => void>()

  function enter(signal: AbortSignal): Promise<void> {
    if (running < limit) {
      running++
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const admit = () => {
        signal.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = () => {
        waiting.delete(admit)
        reject(signal.reason as Error)
      }
      waiting.add(admit)
      signal.addEventListener('abort', giveUp, { once: true })
    })
  }

  /** The place goes to whoever waits longest, or is free. */
  function leave(): void {
    const [admit] = waiting
    if (admit === undefined) {
      running--
    } else {
      waiting.delete(admit)
      admit()
    }
  }

  return async (start, signal) => {
    signal.throwIfAborted()
    await enter(signal)
    return await unlessAborted(start().finally(leave), signal)
  }
}

function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abandon = () => reject(signal.reason as Error)
    if (signal.aborted) abandon()
    signal.addEventListener('abort', abandon, { once: true })
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abandon))
  })
}
