import type { Queueable } from '../../fairness/fair-queue.ts'

/** What a task is expected to take: milliseconds (`estimatedWork`), and memory while it runs. */
export interface GateTask extends Queueable {
  readonly memoryBytes: number
}

/** What there is for tasks. */
export interface Room {
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
}

export interface RunningTask extends GateTask {
  /** Whether it takes memory that is kept for tenants with nothing running. */
  isKept: boolean
}

/** Fraction of all memory that a tenant's second and further tasks leave to others. */
const partLeftToOthers = 0.5

/** The tasks that run now, and what they leave to others. */
export class RunningTasks<Task extends RunningTask> {
  /** When each began, in milliseconds of a monotonic clock. */
  readonly startedMs = new Map<Task, number>()
  readonly #room: Room

  constructor(room: Room) {
    this.#room = room
  }

  hasPlace({ tenant }: GateTask): boolean {
    const { limit, spare } = this.#room
    const running = this.startedMs.size
    return (
      running < limit || (running < limit + spare && this.#memoryOf(isOf(tenant)) === undefined)
    )
  }

  /** Whether there is enough of the memory that is for everybody. */
  fitsCommon({ tenant, memoryBytes }: GateTask): boolean {
    const own = this.#memoryOf(isOf(tenant))
    const common = this.#memoryOf(({ isKept }) => !isKept)
    const mostOwn = (this.#room.memoryBytes + this.#room.keptBytes) * (1 - partLeftToOthers)
    return (
      (common === undefined || common + memoryBytes <= this.#room.memoryBytes) &&
      (own === undefined || own + memoryBytes <= mostOwn)
    )
  }

  /** Whether its tenant has nothing running, and there is enough of the memory kept for such. */
  fitsKept({ tenant, memoryBytes }: GateTask): boolean {
    if (this.#memoryOf(isOf(tenant)) !== undefined) return false
    const kept = this.#memoryOf(({ isKept }) => isKept) ?? 0
    return kept + memoryBytes <= this.#room.keptBytes
  }

  /** Memory of some of the tasks; undefined when none of them runs. */
  #memoryOf(counts: (task: Task) => boolean): number | undefined {
    const bytes = [...this.startedMs.keys()].filter(counts).map((task) => task.memoryBytes)
    return bytes.length === 0 ? undefined : bytes.reduce((sum, each) => sum + each)
  }
}

function isOf(tenant: string): (task: GateTask) => boolean {
  return (task) => task.tenant === tenant
}
