import { unlessAborted } from '../../shared/async/unless-aborted.ts'
import { FairQueue, type Queueable } from '../fairness/fair-queue.ts'

/** What a task is expected to take: milliseconds (`estimatedWork`), and memory while it runs. */
export interface GateTask extends Queueable {
  readonly memoryBytes: number
}

/**
 * Runs `start` when it is its turn. Rejects with the signal's reason on abort, also while the work is still ending.
 * @param task whose it is, and what it is expected to take
 */
export type TaskGate = <Result>(
  start: () => Promise<Result>,
  task: GateTask,
  signal: AbortSignal,
) => Promise<Result>

interface TaskGateOptions {
  /** Most tasks that run at a time. */
  readonly limit: number
  /**
   * Tasks over the limit, for tenants that have none running: with all places taken by long tasks of others, a short one still
   * begins at once, and shares the processor with them.
   */
  readonly spare: number
  /** Bytes that running tasks may take together; one that takes more by itself runs alone. */
  readonly memoryBytes: number
  /** Shares of tenants; see `FairQueue`. */
  readonly weights: ReadonlyMap<string, number>
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

/** Of the memory a tenant's second and further tasks leave this part to others. */
const partLeftToOthers = 0.5

/** A task that waits for memory is passed this often by others that fit; then they wait for it. */
const mostPassed = 64

interface Waiting extends GateTask {
  readonly admit: () => void
  passed: number
}

/**
 * Lets at most `limit` tasks run at a time, within the memory there is. Of those that wait, tenants that had the least time
 * go first, that of running tasks included as it passes; each tenant's go in the order they came. An aborted task that
 * waits is forgotten; one that runs keeps its place until its work has ended.
 */
export function createTaskGate({
  limit,
  spare,
  memoryBytes,
  weights,
  now,
}: TaskGateOptions): TaskGate {
  const queue = new FairQueue<Waiting>(weights)
  const startedMs = new Map<Waiting, number>()

  function admitNext(): void {
    for (const [task, started] of startedMs) queue.recharge(task, now() - started)
    for (;;) {
      const passed: Waiting[] = []
      const next = queue.take((task) => hasPlace(task) && hasMemory(task, passed))
      if (next === undefined) return
      for (const task of passed) task.passed += 1
      startedMs.set(next, now())
      next.admit()
    }
  }

  function hasPlace({ tenant }: Waiting): boolean {
    const running = startedMs.size
    return running < limit || (running < limit + spare && memoryOf(tenant) === undefined)
  }

  /** @param passed tasks before this one that wait for memory; this one is added when it has to */
  function hasMemory(task: Waiting, passed: Waiting[]): boolean {
    const isHeldUp = passed.some((other) => other.passed >= mostPassed)
    const own = memoryOf(task.tenant)
    const all = memoryOf()
    const fits =
      (all === undefined || all + task.memoryBytes <= memoryBytes) &&
      (own === undefined || own + task.memoryBytes <= memoryBytes * (1 - partLeftToOthers))
    if (fits && !isHeldUp) return true
    passed.push(task)
    return false
  }

  /** Memory of all running tasks, or of a tenant's; undefined when none runs. */
  function memoryOf(tenant?: string): number | undefined {
    let bytes: number | undefined
    for (const task of startedMs.keys()) {
      if (tenant === undefined || task.tenant === tenant) bytes = (bytes ?? 0) + task.memoryBytes
    }
    return bytes
  }

  function enter(task: GateTask, signal: AbortSignal): Promise<Waiting> {
    return new Promise((resolve, reject) => {
      const admit = () => {
        signal.removeEventListener('abort', giveUp)
        resolve(waiting)
      }
      const waiting = { ...task, admit, passed: 0 }
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
    queue.settle(task, now() - startedMs.get(task)!)
    startedMs.delete(task)
    admitNext()
  }

  return async (start, task, signal) => {
    signal.throwIfAborted()
    const entered = await enter(task, signal)
    const work = start().finally(() => leave(entered))
    return await unlessAborted(work, signal)
  }
}
