import { FairQueue, type Queueable } from '../../fairness/fair-queue.ts'
import type { JobPriority } from '../job.ts'

/**
 * Interactive jobs started while a batch job waits, before one batch job is: batch work gets a sixteenth of the
 * starts even when interactive jobs never run out.
 */
const interactiveStartsPerBatch = 15

export interface Waiting extends Queueable {
  readonly priority: JobPriority
}

/** All jobs that hold no slot: interactive before batch, and within each kind fairly among tenants. */
export class WaitingLine<Job extends Waiting> implements Iterable<Job> {
  readonly #queues: Readonly<Record<JobPriority, FairQueue<Job>>>
  /** Interactive jobs started in a row while a batch job waited. */
  #batchPassedOver = 0

  /** @param weights of tenants, more than 0; 1 for those not named */
  constructor(weights: ReadonlyMap<string, number>) {
    this.#queues = { interactive: new FairQueue(weights), batch: new FairQueue(weights) }
  }

  get size(): number {
    return this.#queues.interactive.size + this.#queues.batch.size
  }

  /** Estimated work of all waiting jobs. */
  get work(): number {
    return this.#queues.interactive.work + this.#queues.batch.work
  }

  sizeOf(priority: JobPriority): number {
    return this.#queues[priority].size
  }

  waitingOf(tenant: string): number {
    return this.#queues.interactive.waitingOf(tenant) + this.#queues.batch.waitingOf(tenant)
  }

  /** Number of jobs that would start before one that came now. */
  before({ tenant, priority }: Pick<Waiting, 'tenant' | 'priority'>): number {
    const first = priority === 'batch' ? this.#queues.interactive.size : 0
    return first + this.#queues[priority].before(tenant)
  }

  add(job: Job): void {
    this.#queues[job.priority].add(job)
  }

  /**
   * The next job to start, if any; `settle` it when it ends.
   * @param mayBeBatch whether batch jobs may start now
   */
  take(mayBeBatch = true): Job | undefined {
    const { interactive, batch } = this.#queues
    const batchTurn = interactive.size === 0 || this.#batchPassedOver >= interactiveStartsPerBatch
    if (batch.size > 0 && batchTurn && mayBeBatch) {
      this.#batchPassedOver = 0
      return batch.take()
    }
    this.#batchPassedOver = batch.size > 0 ? this.#batchPassedOver + 1 : 0
    return interactive.take()
  }

  /** The next job of certain tenants, without removing it. */
  peekOf(may: (job: Job) => boolean): Job | undefined {
    return this.#queues.interactive.peek(may) ?? this.#queues.batch.peek(may)
  }

  /** Removes the job that `peekOf` returns; `settle` it when it ends. */
  takeOf(may: (job: Job) => boolean): Job | undefined {
    return this.#queues.interactive.take(may) ?? this.#queues.batch.take(may)
  }

  /** Does nothing when the job does not wait. */
  remove(job: Job): void {
    this.#queues[job.priority].remove(job)
  }

  /** A job that was taken has ended after `actualWork`. */
  settle(job: Job, actualWork: number): void {
    this.#queues[job.priority].settle(job, actualWork)
  }

  *[Symbol.iterator](): Iterator<Job> {
    yield* this.#queues.interactive
    yield* this.#queues.batch
  }
}
