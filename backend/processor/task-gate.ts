import { unlessAborted } from '../../shared/async/unless-aborted.ts'
import { FairQueue, type Queueable } from '../fairness/fair-queue.ts'

/**
 * Runs `start` when it is its turn. Rejects with the signal's reason on abort, also while the work goes on.
 * @param task whose it is, and the milliseconds it is expected to take
 */
export type TaskGate = <Result>(
  start: () => Promise<Result>,
  task: Queueable,
  signal: AbortSignal,
) => Promise<Result>

interface TaskGateOptions {
  /** Most tasks that run at a time. */
  readonly limit: number
  /** Shares of tenants; see `FairQueue`. */
  readonly weights: ReadonlyMap<string, number>
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

interface Waiting extends Queueable {
  readonly admit: () => void
}

/**
 * Lets at most `limit` tasks run at a time. Of those that wait, tenants that had the least time go first, and each tenant's
 * in the order they came. An aborted task that waits is forgotten; one that runs keeps its place until it is done, for it
 * still uses its thread.
 */
export function createTaskGate({ limit, weights, now }: TaskGateOptions): TaskGate {
  let running = 0
  const queue = new FairQueue<Waiting>(weights)

  function admitNext(): void {
    if (running === limit) return
    const next = queue.take()
    if (next === undefined) return
    running++
    next.admit()
  }

  function enter({ tenant, estimatedWork }: Queueable, signal: AbortSignal): Promise<Waiting> {
    return new Promise((resolve, reject) => {
      const admit = () => {
        signal.removeEventListener('abort', giveUp)
        resolve(waiting)
      }
      const waiting = { tenant, estimatedWork, admit }
      const giveUp = () => {
        queue.remove(waiting)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      queue.add(waiting)
      admitNext()
    })
  }

  function leave(task: Waiting, startedMs: number): void {
    queue.settle(task, now() - startedMs)
    running--
    admitNext()
  }

  return async (start, task, signal) => {
    signal.throwIfAborted()
    const entered = await enter(task, signal)
    const startedMs = now()
    const work = start().finally(() => leave(entered, startedMs))
    return await unlessAborted(work, signal)
  }
}
