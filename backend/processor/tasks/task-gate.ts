import { unlessAborted } from '../../../shared/async/unless-aborted.ts'
import { FairQueue } from '../../fairness/fair-queue.ts'
import { type GateTask, type Room, type RunningTask, RunningTasks } from './running-tasks.ts'

/**
 * Runs `start` when its turn comes. Rejects with the signal's reason on abort, even while the work is still ending.
 * @param task its tenant, and what it is expected to take
 */
export type TaskGate = <Result>(
  start: () => Promise<Result>,
  task: GateTask,
  signal: AbortSignal,
) => Promise<Result>

interface TaskGateOptions extends Room {
  /** Weights of tenants; see `FairQueue`. */
  readonly weights: ReadonlyMap<string, number>
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

/** How often others that fit may overtake a task waiting for memory; after that they wait for it. */
const mostPassed = 64

interface Waiting extends RunningTask {
  readonly admit: () => void
  passed: number
}

/**
 * Lets at most `limit` tasks run at a time, within the available memory. Among waiting tasks, tenants that have used
 * the least time go first, counting the elapsed time of running tasks; the groups of one tenant take turns, and the
 * tasks of a group run in order of arrival. An aborted task is dropped if it waits; if it runs, it keeps its place
 * until its work has ended.
 */
export function createTaskGate(options: TaskGateOptions): TaskGate {
  const { weights, now } = options
  const queue = new FairQueue<Waiting>(weights)
  const running = new RunningTasks<Waiting>(options)

  function admitNext(): void {
    for (const [task, started] of running.startedMs) queue.recharge(task, now() - started)
    for (;;) {
      const passed: Waiting[] = []
      const next = queue.take((task) => running.hasPlace(task) && hasMemory(task, passed))
      if (next === undefined) return
      // Those that wait lose nothing to one that takes other memory.
      if (!next.isKept) for (const task of passed) task.passed += 1
      running.startedMs.set(next, now())
      next.admit()
    }
  }

  /** @param passed earlier tasks that wait for memory; this one is added if it has to wait */
  function hasMemory(task: Waiting, passed: Waiting[]): boolean {
    const isHeldUp = passed.some((other) => other.passed >= mostPassed)
    if (!isHeldUp && running.fitsCommon(task)) return true
    task.isKept = running.fitsKept(task)
    if (!task.isKept) passed.push(task)
    return task.isKept
  }

  function enter(task: GateTask, signal: AbortSignal): Promise<Waiting> {
    return new Promise((resolve, reject) => {
      const admit = () => {
        signal.removeEventListener('abort', giveUp)
        resolve(waiting)
      }
      const waiting = { ...task, admit, passed: 0, isKept: false }
      const giveUp = () => {
        queue.remove(waiting)
        reject(signal.reason as Error)
        admitNext()
      }
      signal.addEventListener('abort', giveUp, { once: true })
      queue.add(waiting)
      admitNext()
    })
  }

  function leave(task: Waiting): void {
    queue.settle(task, now() - running.startedMs.get(task)!)
    running.startedMs.delete(task)
    admitNext()
  }

  return async (start, task, signal) => {
    signal.throwIfAborted()
    const entered = await enter(task, signal)
    const work = start().finally(() => leave(entered))
    return await unlessAborted(work, signal)
  }
}
