import type { ActiveJob } from '../jobs/active-job.ts'
import type { Sequence } from '../jobs/sequence.ts'
import type { CacheMemory } from '../memory/cache-memory.ts'
import type { Throughput } from '../queue/throughput.ts'
import type { WaitingLine } from '../queue/waiting-line.ts'

interface SlotsOptions {
  /** Most sequences that may hold one. */
  readonly count: number
  readonly memory: CacheMemory
  readonly waiting: WaitingLine<ActiveJob>
  readonly throughput: Throughput
  /** Whether rows of answers are kept for prompts that will go on from there. */
  readonly keepAnswers: boolean
}

/** Who holds a slot, and who gets the next one: jobs join and leave between steps. */
export class Slots {
  readonly #options: SlotsOptions
  /** Taken from the line; it starts as soon as there is a slot and memory. */
  #next: ActiveJob | undefined
  /** Taken from the line, and not ended in all their choices. */
  #started: ActiveJob[] = []
  #running: Sequence[] = []

  constructor(options: SlotsOptions) {
    this.#options = options
  }

  /** Sequences that hold a slot, longest first. */
  get running(): readonly Sequence[] {
    return this.#running
  }

  /** How many nobody holds. */
  get free(): number {
    return this.#options.count - this.#running.length
  }

  /** All jobs that wait or run. */
  get jobs(): readonly ActiveJob[] {
    return [...this.#options.waiting, ...this.#started]
  }

  /** True when nothing waits or runs. */
  get idle(): boolean {
    const { waiting } = this.#options
    return waiting.size + this.#started.length + this.#running.length === 0
  }

  /** How many jobs wait for their first slot. */
  get queued(): number {
    return this.#options.waiting.size + (this.#next === undefined ? 0 : 1)
  }

  /** Takes slots back from sequences that have ended, those included whose time is up. */
  takeBack(): void {
    this.#endOverdue()
    this.#settleEnded()
    const { memory, keepAnswers } = this.#options
    this.#running = this.#running.flatMap((sequence) => {
      if (sequence.status !== 'ended') return [sequence]
      const { job, slot } = sequence
      if (sequence.finished && keepAnswers) memory.remember(slot, sequence)
      const { heir } = job
      if (heir === undefined) {
        memory.close(slot)
        return []
      }
      memory.inherit(slot, heir)
      heir.join(slot)
      return [heir]
    })
  }

  /** Gives free slots to jobs that wait, and those nobody else waits for to further choices of jobs that run. */
  handOut(): void {
    this.#startJobs()
    this.#startChoices()
  }

  /** Who is next waits for memory, too; nobody passes it by, or long prompts would wait for ever. */
  #startJobs(): void {
    const { memory } = this.#options
    if (this.#next?.ended === true) this.#next = undefined
    while (this.free > 0) {
      this.#next ??= this.#takeNext()
      if (this.#next === undefined || !memory.hasRoomFor(this.#next.first)) return
      const { first } = this.#next
      const { slot, restoredTokens } = memory.open(first)
      first.start(slot, restoredTokens)
      this.#running.push(first)
      this.#next = undefined
    }
  }

  #takeNext(): ActiveJob | undefined {
    const job = this.#options.waiting.take()
    if (job !== undefined) this.#started.push(job)
    return job
  }

  /** A job has one slot at least. */
  #startChoices(): void {
    const { memory } = this.#options
    for (const { job, slot } of this.#running.slice()) {
      while (this.free > 0) {
        const { waitingChoice } = job
        if (waitingChoice === undefined || !memory.hasRoomFor(waitingChoice)) break
        waitingChoice.join(memory.fork(slot, waitingChoice))
        this.#running.push(waitingChoice)
      }
    }
  }

  #endOverdue(): void {
    for (const job of this.jobs) {
      job.expire()
      if (job.ended) this.#options.waiting.remove(job)
    }
  }

  /** What ended jobs really cost decides who is next. */
  #settleEnded(): void {
    const { throughput, waiting } = this.#options
    this.#started = this.#started.filter((job) => {
      if (!job.ended) return true
      waiting.settle(job, job.work)
      throughput.ended(job.estimatedWork, job.work)
      return false
    })
  }
}
