import {
  afterFailure,
  afterSuccess,
  newBreaker,
  shareOf,
  type Breaker,
} from '../../../shared/balance/breaker.ts'
import type { EngineFacts } from '../engine/engine-facts.ts'
import type { EngineProblem } from '../engine/engine-problem.ts'
import type { EngineTarget } from '../engine/engine-target.ts'

/** Requests in an engine, as it counts them. */
export interface EngineLoad {
  readonly running: number
  readonly waiting: number
}

/** One engine as operators see it. */
export interface EngineView {
  readonly id: string
  /** `unproven` until it has described a picture, `resting` for a while after it failed. */
  readonly state: 'ready' | 'unproven' | 'resting'
  readonly kind: EngineFacts['kind'] | null
  readonly version: string | null
  readonly model: string | null
  /** Answers that are generated for this server now, and the most at a time. */
  readonly running: number
  readonly slots: number
  /** What the engine itself says about its load, all its clients together. */
  readonly load: EngineLoad | null
  readonly failures: number
  /** Answers without a plausible report of their usage, which this server counted itself. */
  readonly uncounted: number
  readonly last_problem: string | null
}

/** What is known of one engine, and how much of it is in use. */
export class EngineEntry {
  readonly target: EngineTarget
  readonly #mostSlots: number
  readonly #now: () => number
  #breaker: Breaker = newBreaker
  #facts: EngineFacts | undefined
  #load: EngineLoad | undefined
  #runningAtLoad = 0
  #running = 0
  #failures = 0
  #uncounted = 0
  #lastProblem: string | undefined

  /** @param mostSlots answers that it may be given at a time, unless it says that it has fewer */
  constructor(target: EngineTarget, mostSlots: number, now: () => number) {
    this.target = target
    this.#mostSlots = mostSlots
    this.#now = now
  }

  /** Known once it has described a picture, until it cannot be reached. */
  get facts(): EngineFacts | undefined {
    return this.#facts
  }

  get isReady(): boolean {
    return this.#facts !== undefined && this.#breaker.phase === 'closed'
  }

  /** When it should be tried again; 0 unless it rests. */
  get restsUntil(): number {
    return this.#breaker.phase === 'open' ? this.#breaker.until : 0
  }

  get slots(): number {
    return Math.min(this.#mostSlots, this.#facts?.slots ?? Infinity)
  }

  get running(): number {
    return this.#running
  }

  get freeSlots(): number {
    return this.isReady ? Math.max(0, this.slots - this.#running) : 0
  }

  /** Requests in it, including those of other servers as of its last report. */
  get outstanding(): number {
    const { running = 0, waiting = 0 } = this.#load ?? {}
    return this.#running + Math.max(0, running + waiting - this.#runningAtLoad)
  }

  /** The fraction of its usual load that it should get. */
  get share(): number {
    return shareOf(this.#breaker, this.#now())
  }

  /** Whether this many more answers fit; more than it has slots only while it does nothing else. */
  hasRoomFor(answers: number): boolean {
    return this.#running === 0 || this.#running + answers <= this.slots
  }

  /** @returns a function to call when they have ended; calling it again does nothing */
  take(answers: number): () => void {
    this.#running += answers
    let taken = answers
    return () => {
      this.#running -= taken
      taken = 0
    }
  }

  prove(facts: EngineFacts): void {
    this.#facts = facts
    this.noteSuccess()
  }

  noteSuccess(): void {
    this.#breaker = afterSuccess(this.#breaker, this.#now())
  }

  noteUncounted(): void {
    this.#uncounted += 1
  }

  noteLoad(load: EngineLoad | undefined): void {
    this.#load = load
    this.#runningAtLoad = this.#running
  }

  /** A failed request or probe. An engine that could not be reached may be a different one when it is back. */
  noteProblem({ kind, message }: EngineProblem): void {
    if (kind === 'busy' || kind === 'refused') return
    this.#failures += 1
    this.#lastProblem = message
    const failure = kind === 'unreachable' ? kind : 'fault'
    this.#breaker = afterFailure(this.#breaker, failure, this.#now())
    if (this.#breaker.phase === 'open') this.#facts = undefined
  }

  view(): EngineView {
    const { kind = null, version = null, model = null } = this.#facts ?? {}
    const resting = this.#breaker.phase === 'open'
    return {
      id: this.target.id,
      state: this.isReady ? 'ready' : resting ? 'resting' : 'unproven',
      kind,
      version,
      model,
      running: this.#running,
      slots: this.slots,
      load: this.#load ?? null,
      failures: this.#failures,
      uncounted: this.#uncounted,
      last_problem: this.#lastProblem ?? null,
    }
  }
}
