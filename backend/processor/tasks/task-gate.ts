import { unlessAborted } from '../../../shared/async/unless-aborted.ts'
import { FairQueue, type Queueable } from '../../fairness/fair-queue.ts'

/** What a task is expected to take: milliseconds (`estimatedWork`), and memory while it runs. */
export interface GateTask extends Queueable {
  readonly memoryBytes: number
}

/**
 * Runs `start` when its turn comes. Rejects with the signal's reason on abort, even while the work is still ending.
 * @param task its tenant, and what it is expected to take
 */
export type TaskGate = <Result>(
  start: () => Promise<Result>,
  task: GateTask,
  signal: AbortSignal,
) => Promise<Result>

interface TaskGateOptions {
  /** The most tasks running at a time. */
  readonly limit: number
  /**
   * Tasks beyond the limit, for tenants that have none running. When long tasks of others take all places, a short
   * one still begins at once and shares the CPU with them.
   */
  readonly spare: number
  /** Bytes that running tasks may take together; a task that needs more by itself takes them alone. */
  readonly memoryBytes: number
  /**
   * Bytes beyond them for tenants that have none running, so that a small task does not wait for the large ones of others.
   */
  readonly keptBytes: number
  /** Weights of tenants; see `FairQueue`. */
  readonly weights: ReadonlyMap<string, number>
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

/** Fraction of all memory that a tenant's second and further tasks leave to others. */
const partLeftToOthers = 0.5

/** How often others that fit may overtake a task waiting for memory; after that they wait for it. */
const mostPassed = 64

interface Waiting extends GateTask {
  readonly admit: () => void
  passed: number
  /** Whether it takes memory that is kept for tenants with nothing running. */
  isKept: boolean
}

/**
 * Lets at most `limit` tasks run at a time, within the available memory. Among waiting tasks, tenants that have used
 * the least time go first, counting the elapsed time of running tasks; the groups of one tenant take turns, and the
 * tasks of a group run in order of arrival. An aborted task is dropped if it waits; if it runs, it keeps its place
 * until its work has ended.
 */
export function createTaskGate({
  limit,
  spare,
  memoryBytes,
  keptBytes,
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
      // Those that wait lose nothing to one that takes other memory.
      if (!next.isKept) for (const task of passed) task.passed += 1
      startedMs.set(next, now())
      next.admit()
    }
  }

  function hasPlace({ tenant }: Waiting): boolean {
    const running = startedMs.size
    return running < limit || (running < limit + spare && memoryOf(isOf(tenant)) === undefined)
  }

  /** @param passed earlier tasks that wait for memory; this one is added if it has to wait */
  function hasMemory(task: Waiting, passed: Waiting[]): boolean {
    const isHeldUp = passed.some((other) => other.passed >= mostPassed)
    const own = memoryOf(isOf(task.tenant))
    const common = memoryOf(({ isKept }) => !isKept)
    const mostOwn = (memoryBytes + keptBytes) * (1 - partLeftToOthers)
    const fits =
      (common === undefined || common + task.memoryBytes <= memoryBytes) &&
      (own === undefined || own + task.memoryBytes <= mostOwn)
    if (fits && !isHeldUp) return true
    const kept = memoryOf(({ isKept }) => isKept) ?? 0
    task.isKept = own === undefined && kept + task.memoryBytes <= keptBytes
    if (!task.isKept) passed.push(task)
    return task.isKept
  }

  /** Memory of some of the running tasks; undefined when none of them runs. */
  function memoryOf(counts: (task: Waiting) => boolean): number | undefined {
    const bytes = [...startedMs.keys()].filter(counts).map((task) => task.memoryBytes)
    return bytes.length === 0 ? undefined : bytes.reduce((sum, each) => sum + each)
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

function isOf(tenant: string): (task: GateTask) => boolean {
  return (task) => task.tenant === tenant
}
