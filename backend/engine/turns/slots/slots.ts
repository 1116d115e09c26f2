import type { ActiveJob } from '../../jobs/active-job.ts'
import type { Sequence } from '../../jobs/sequence.ts'
import type { CacheMemory } from '../../memory/cache-memory.ts'
import type { Throughput } from '../../queue/throughput.ts'
import type { WaitingLine } from '../../queue/waiting-line.ts'
import { chooseToPause, chooseToRotate, mayHoldSlot } from './give-way.ts'
import { Holders } from './holders.ts'
import { chooseNextUp } from './next-up.ts'

interface SlotsOptions {
  /** The most sequences that may hold a slot. */
  readonly count: number
  readonly memory: CacheMemory
  readonly waiting: WaitingLine<ActiveJob>
  readonly throughput: Throughput
  /** Whether rows of answers are kept for prompts that continue from there, and may be computed by reading. */
  readonly keepAnswers: boolean
  /** Weight of a tenant; more than 0. */
  readonly weightOf: (tenant: string) => number
  /** Whether a sequence loses nothing when it is stopped at its current point. */
  readonly mayPause: (sequence: Sequence) => boolean
}

/**
 * Decides who gets the next slot: jobs join and leave between steps. When a tenant with nothing running waits, a
 * sequence of the tenant that holds the most slots gives way and continues later.
 */
export class Slots {
  readonly #options: SlotsOptions
  readonly #holders: Holders
  /** Taken from the line; it starts as soon as there is a slot and memory. */
  #next: ActiveJob | undefined
  /** Jobs taken from the line of which some choice has not ended. */
  #started: ActiveJob[] = []
  #turn = 0

  constructor(options: SlotsOptions) {
    this.#options = options
    this.#holders = new Holders(options)
  }

  /** Sequences that hold a slot, the longest-held first. */
  get running(): readonly Sequence[] {
    return this.#holders.running
  }

  /** Sequences that gave way to others. */
  get paused(): readonly Sequence[] {
    return this.#holders.paused
  }

  /** How often a running sequence has given way. */
  get pauses(): number {
    return this.#holders.pauses
  }

  /** Number of free slots. */
  get free(): number {
    return this.#holders.free
  }

  /** All waiting and running jobs. */
  get jobs(): readonly ActiveJob[] {
    return [...this.#options.waiting, ...this.#started]
  }

  /** True when nothing waits or runs. */
  get idle(): boolean {
    const { running, paused } = this.#holders
    const begun = this.#started.length + running.length + paused.length
    return this.#options.waiting.size + begun === 0
  }

  /** Number of jobs waiting for their first slot. */
  get queued(): number {
    return this.#options.waiting.size + (this.#next === undefined ? 0 : 1)
  }

  /** Takes slots back from sequences that have ended, including those whose time is up. */
  takeBack(): void {
    this.#endOverdue()
    this.#settleEnded()
    this.#holders.removeEnded(this.#turn)
  }

  /**
   * Gives free slots to sequences that gave way and to waiting jobs, makes others give way where a tenant has nothing
   * running, and gives slots that nothing else waits for to further choices of running jobs.
   * @param turn number of the engine's turn
   */
  handOut(turn: number): void {
    this.#turn = turn
    if (this.#next?.ended === true) this.#next = undefined
    this.#fillFree()
    while (this.#claims().some((claim) => this.#letPass(claim)));
    this.#rotate()
    this.#startChoices()
  }

  #fillFree(): void {
    while (this.free > 0) {
      const sequence = this.#nextUp()
      if (sequence === undefined) return
      this.#begin(sequence)
    }
  }

  #nextUp(): Sequence | undefined {
    const first = this.#firstInLine()
    const holders = (sequences: readonly Sequence[]) =>
      sequences.filter((one) => this.#mayHold(one)).map((one) => this.#asHolder(one))
    const [claims, paused] = [holders(this.#claims()), holders(this.paused)]
    const candidates = { claims, paused, first: first && this.#asHolder(first) }
    return chooseNextUp(candidates, (one) => this.#holders.hasRoomFor(one.sequence))?.sequence
  }

  /** Where batch work has all the slots it may have, the next interactive job overtakes it. */
  #firstInLine(): Sequence | undefined {
    const { count, waiting } = this.#options
    if (this.#next === undefined) {
      this.#next = waiting.take(mayHoldSlot({ priority: 'batch' }, this.running, count))
      if (this.#next !== undefined) this.#started.push(this.#next)
    }
    const next = this.#next?.first
    if (next === undefined || this.#mayHold(next)) return next
    return waiting.peekOf(({ priority }) => priority === 'interactive')?.first
  }

  #begin(sequence: Sequence): void {
    if (this.#next?.first === sequence) this.#next = undefined
    const job = this.#options.waiting.takeOf(({ first }) => first === sequence)
    if (job !== undefined) this.#started.push(job)
    this.#holders.begin(sequence, this.#turn)
  }

  /** Those of tenants with nothing running: the sequences that gave way, then the next in line. */
  #claims(): readonly Sequence[] {
    const idle = ({ tenant }: { tenant: string }) => this.#holders.countOf(tenant) === 0
    const next = this.#next !== undefined && idle(this.#next) ? this.#next : undefined
    const job = next ?? this.#options.waiting.peekOf(idle)
    return [...this.paused.filter(idle), ...(job === undefined ? [] : [job.first])]
  }

  /** Makes others give way to a claim, as far as necessary. @returns whether it holds a slot now */
  #letPass(claim: Sequence): boolean {
    const yielding = this.#chooseToPause(claim)
    const ways = this.free > 0 ? [undefined, yielding] : [yielding]
    for (const paused of ways) {
      if (paused === undefined && this.free === 0) return false
      if (!this.#mayHold(claim, paused)) continue
      const losing = this.#rowsInTheWay(claim, paused)
      if (losing === undefined) continue
      if (paused !== undefined) this.#holders.pause(paused, this.#turn)
      for (const sequence of losing) this.#holders.takeRows(sequence)
      this.#begin(claim)
      return true
    }
    return false
  }

  #chooseToPause(claim: Sequence): Sequence | undefined {
    const running = this.running.map((sequence) => this.#asHolder(sequence))
    return chooseToPause(running, claim, this.#mayGiveWayTo(claim))?.sequence
  }

  /**
   * When a tenant has both running sequences and ones that gave way, they take turns as long as there is memory for
   * all.
   */
  #rotate(): void {
    for (const waiting of this.paused) {
      const running = this.running.map((sequence) => this.#asHolder(sequence))
      const may = this.#mayGiveWayTo(waiting)
      const yielding = chooseToRotate(running, this.#asHolder(waiting), may)?.sequence
      if (yielding === undefined || this.#rowsInTheWay(waiting, yielding)?.length !== 0) continue
      this.#holders.pause(yielding, this.#turn)
      this.#begin(waiting)
    }
  }

  #asHolder(sequence: Sequence) {
    const { tenant, priority } = sequence
    const turns = this.#holders.turnsOf(sequence, this.#turn)
    const held = this.#holders.countOf(tenant)
    return { sequence, tenant, priority, turns, held, weight: this.#options.weightOf(tenant) }
  }

  #mayGiveWayTo(claim: Sequence): (holder: { sequence: Sequence }) => boolean {
    return ({ sequence }) => this.#options.mayPause(sequence) && this.#mayHold(claim, sequence)
  }

  /**
   * The sequences whose rows must be dropped for a claim to begin, when one more gives way: none if there is memory
   * for all. Only those progressed far enough since they got their rows qualify; undefined when that does not
   * suffice.
   */
  #rowsInTheWay(claim: Sequence, yielding: Sequence | undefined): readonly Sequence[] | undefined {
    const { count, keepAnswers } = this.#options
    const holding = this.paused.filter((sequence) => sequence.holdsSlot && sequence !== claim)
    const kept = yielding === undefined ? holding : [yielding, ...holding]
    const candidates = keepAnswers ? kept.filter(({ mayReadAgain }) => mayReadAgain) : []
    for (let losing = 0; losing <= candidates.length; losing++) {
      const lost = candidates.slice(0, losing)
      const aside = yielding === undefined || lost.includes(yielding) ? [] : [yielding.slot]
      const changes = { aside, closed: lost.map(({ slot }) => slot) }
      const open = kept.length - lost.length
      if (open <= count && this.#holders.hasRoomFor(claim, changes)) return lost
    }
    return undefined
  }

  /** Gives free slots to further choices of running jobs, which can do with a single one. */
  #startChoices(): void {
    if (this.paused.length > 0) return
    for (const reader of this.running.slice()) {
      while (this.free > 0 && reader.holdsPrompt) {
        const { waitingChoice } = reader.job
        if (waitingChoice === undefined || !this.#mayHold(waitingChoice)) break
        if (!this.#holders.hasRoomFor(waitingChoice)) break
        this.#holders.beginChoice(waitingChoice, reader, this.#turn)
      }
    }
  }

  /** Whether a sequence may hold a slot, when another one gives way. */
  #mayHold(sequence: Sequence, yielding?: Sequence): boolean {
    const others = this.running.filter((other) => other !== yielding)
    return mayHoldSlot(sequence, others, this.#options.count)
  }

  #endOverdue(): void {
    for (const job of this.jobs) {
      job.expire()
      if (job.ended) this.#options.waiting.remove(job)
    }
  }

  /** The actual cost of ended jobs decides who is next. */
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
