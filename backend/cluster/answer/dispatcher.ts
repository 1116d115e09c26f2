import { chooseServer } from '../../../shared/balance/choose.ts'
import { ServiceError } from '../../../shared/api/errors.ts'
import { unsupported } from '../../../shared/api/doors/unsupported.ts'
import { abortError } from '../../engine/abort-error.ts'
import type { JobPriority } from '../../engine/job.ts'
import { admit } from '../../engine/queue/admission.ts'
import { Throughput } from '../../engine/queue/throughput.ts'
import { WaitingLine } from '../../engine/queue/waiting-line.ts'
import type { EngineEntry } from '../health/engine-entry.ts'
import { type Assignment, type DispatchJob, WaitingJob } from './waiting-job.ts'

interface DispatcherOptions {
  readonly engines: readonly EngineEntry[]
  readonly queueLimit: number
  readonly queueWorkLimit: number
  readonly tenantWeights: ReadonlyMap<string, number>
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
}

/** A job's place in the line. */
export interface Ticket {
  /** Jobs that start before it; 0 when it starts at once. */
  readonly position: number
  /** The one it got last. */
  readonly engine: EngineEntry | undefined
  /**
   * Waits for an engine: at the first call for the job's turn, afterwards for any engine that it was not given before.
   * The last engine's slots are free from then on.
   * @returns undefined when there is no other engine
   * @throws {ServiceError} `backend_unavailable` when no engine is left while it waits, or the signal's error
   */
  next(): Promise<Assignment | undefined>
  /** The job has ended. @param work done for it, in the unit of its estimate */
  leave(work: number): void
}

/**
 * Jobs taken out of the line that have no engine: those that wait for a second one, and those whose turn it is but for which
 * no engine has enough free slots. More than one, so that a job that needs many slots does not leave all engines idle.
 */
const mostHeld = 4

/** Decides which job is next, and which engine it gets: fairly among tenants, and never more than the engines hold. */
export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #line: WaitingLine<WaitingJob>
  readonly #held: WaitingJob[] = []
  readonly #throughput = new Throughput()
  #running = 0
  #busySince = 0

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#line = new WaitingLine(options.tenantWeights)
  }

  get waiting(): { readonly interactive: number; readonly batch: number; readonly work: number } {
    const held = (priority: JobPriority) =>
      this.#held.filter((job) => job.priority === priority).length
    return {
      interactive: this.#line.sizeOf('interactive') + held('interactive'),
      batch: this.#line.sizeOf('batch') + held('batch'),
      work: this.#line.work,
    }
  }

  get workPerSecond(): number {
    return this.#throughput.workPerSecond
  }

  /**
   * @throws {ServiceError} `queue_full`, `backend_unavailable` without any engine, or `unsupported_field` when none can
   * do it
   */
  enter(job: DispatchJob, signal: AbortSignal): Ticket {
    if (signal.aborted) throw abortError(signal)
    this.#checkEngines(job)
    this.#admit(job)
    const before = this.#held.length + this.#line.before(job)
    const waiting = new WaitingJob(job)
    const first = this.#turnOf(waiting, signal)
    // It may be rejected before anybody waits for it.
    first.catch(() => undefined)
    this.#line.add(waiting)
    this.#drain()
    let next: Promise<Assignment | undefined> | undefined = first
    return {
      position: waiting.waitsForTurn ? Math.max(1, before) : 0,
      get engine() {
        return waiting.engine
      },
      next: () => {
        const turn = next ?? this.#again(waiting, signal)
        next = undefined
        return turn
      },
      leave: (work) => this.#leave(waiting, work),
    }
  }

  /** An engine has become ready, or has failed. */
  engineChanged(): void {
    this.#drain()
  }

  /** @throws {ServiceError} when no engine would do */
  #checkEngines(job: DispatchJob): void {
    const ready = this.#options.engines.filter(({ isReady }) => isReady)
    if (ready.length === 0) throw unavailable()
    const lacks = ready.map(({ facts }) => job.lackOf(facts!))
    const [lack] = lacks
    if (lack === undefined || lacks.includes(undefined)) return
    throw unsupported(lack, 'the engine behind this server does not support it')
  }

  #admit({ tenant, estimatedWork: work }: DispatchJob): void {
    const { queueLimit, queueWorkLimit, engines } = this.#options
    const counts = {
      waiting: this.#line.size + this.#held.length,
      waitingWork: this.#line.work,
      waitingOfTenant: this.#line.waitingOf(tenant),
      freeSlots: engines.reduce((sum, { freeSlots }) => sum + freeSlots, 0),
      queueLimit,
      queueWorkLimit,
      work,
    }
    admit(counts, (amount) => this.#throughput.secondsFor(amount))
  }

  #turnOf(job: WaitingJob, signal: AbortSignal): Promise<Assignment | undefined> {
    return job.waitForTurn(signal, () => {
      this.#forget(job)
      this.#drain()
    })
  }

  /** Another engine for a job that has its turn already. */
  #again(job: WaitingJob, signal: AbortSignal): Promise<Assignment | undefined> {
    if (signal.aborted) return Promise.reject(abortError(signal))
    job.free()
    const turn = this.#turnOf(job, signal)
    this.#held.unshift(job)
    this.#drain()
    return turn
  }

  #leave(job: WaitingJob, work: number): void {
    this.#forget(job)
    job.free()
    if (job.started) {
      this.#line.settle(job, work)
      const now = this.#options.now()
      this.#throughput.worked(work, now - this.#busySince)
      this.#throughput.ended(job.estimatedWork, work)
      this.#busySince = now
      this.#running -= 1
    }
    this.#drain()
  }

  #forget(job: WaitingJob): void {
    this.#line.remove(job)
    const index = this.#held.indexOf(job)
    if (index >= 0) this.#held.splice(index, 1)
  }

  /** Gives engines to jobs as long as there are any of both. */
  #drain(): void {
    if (!this.#options.engines.some(({ isReady }) => isReady)) return this.#failAll()
    // A job that goes is removed from the list.
    for (const job of this.#held.slice()) this.#offer(job)
    while (this.#held.length < mostHeld && this.#hasFreeSlot()) {
      const job = this.#line.take()
      if (job === undefined) return
      if (this.#running === 0) this.#busySince = this.#options.now()
      this.#running += 1
      job.started = true
      this.#held.push(job)
      this.#offer(job)
    }
  }

  #hasFreeSlot(): boolean {
    return this.#options.engines.some(({ freeSlots }) => freeSlots > 0)
  }

  /** Lets a held job go when there is an engine for it, or can be none. */
  #offer(job: WaitingJob): void {
    const able = this.#options.engines.filter(
      (engine) =>
        engine.isReady && !job.hasTried(engine) && job.lackOf(engine.facts!) === undefined,
    )
    const engine = this.#choose(able, job)
    if (engine === undefined && able.length > 0) return
    this.#forget(job)
    if (engine === undefined) job.endWithoutEngine()
    else job.assign(engine)
  }

  #choose(able: readonly EngineEntry[], job: WaitingJob): EngineEntry | undefined {
    const candidates = able
      .filter((engine) => engine.hasRoomFor(job.answers))
      .map((engine) => ({
        engine,
        id: engine.target.id,
        available: true,
        outstanding: engine.outstanding,
        share: engine.share,
      }))
    return chooseServer(candidates, job.affinity, this.#options.random())?.engine
  }

  #failAll(): void {
    for (const job of [...this.#line, ...this.#held]) {
      this.#forget(job)
      job.fail(unavailable())
    }
  }
}

function unavailable(): ServiceError {
  return new ServiceError('backend_unavailable', 'No engine can be reached')
}
