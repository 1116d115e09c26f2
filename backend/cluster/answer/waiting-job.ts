import { abortError } from '../../engine/abort-error.ts'
import type { JobPriority } from '../../engine/job.ts'
import type { EngineFacts } from '../engine/engine-facts.ts'
import type { EngineEntry } from '../health/engine-entry.ts'

/** The facts about a job that its turn and its engine depend on. */
export interface DispatchJob {
  readonly tenant: string
  readonly priority: JobPriority
  /** In prompt tokens; see `engine/queue/work.ts`. */
  readonly estimatedWork: number
  /** Answers, each of which takes a slot of the engine. */
  readonly answers: number
  /** Jobs with equal values go to the same engine as long as its load allows. */
  readonly affinity: string | undefined
  /** The first field of the request that an engine cannot do. */
  readonly lackOf: (facts: EngineFacts) => string | undefined
}

/** The engine that a job got, as it was known then. */
export interface Assignment {
  readonly engine: EngineEntry
  readonly facts: EngineFacts
}

interface Turn {
  readonly resolve: (assignment?: Assignment) => void
  readonly reject: (error: Error) => void
}

/** A job from its arrival to its end: the engines it was given, the slots it holds, and whether it waits for another one. */
export class WaitingJob implements DispatchJob {
  readonly tenant: string
  readonly priority: JobPriority
  readonly estimatedWork: number
  readonly answers: number
  readonly affinity: string | undefined
  readonly lackOf: (facts: EngineFacts) => string | undefined
  /** Whether its turn has come. */
  started = false
  readonly #tried: EngineEntry[] = []
  /** Settles the wait for its engine; undefined while nobody waits. */
  #turn: Turn | undefined
  #free: () => void = () => undefined

  constructor(job: DispatchJob) {
    this.tenant = job.tenant
    this.priority = job.priority
    this.estimatedWork = job.estimatedWork
    this.answers = job.answers
    this.affinity = job.affinity
    this.lackOf = job.lackOf
  }

  get waitsForTurn(): boolean {
    return this.#turn !== undefined
  }

  /** The engine it got last. */
  get engine(): EngineEntry | undefined {
    return this.#tried.at(-1)
  }

  hasTried(engine: EngineEntry): boolean {
    return this.#tried.includes(engine)
  }

  /**
   * Settles when the job gets an engine, cannot get one, or `signal` is aborted.
   * @param onAbort called first in the last case
   */
  waitForTurn(signal: AbortSignal, onAbort: () => void): Promise<Assignment | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Assignment | undefined>()
    const giveUp = () => {
      onAbort()
      this.fail(abortError(signal))
    }
    const done = () => {
      signal.removeEventListener('abort', giveUp)
      this.#turn = undefined
    }
    this.#turn = {
      resolve: (assignment) => {
        done()
        resolve(assignment)
      },
      reject: (error) => {
        done()
        reject(error)
      },
    }
    signal.addEventListener('abort', giveUp, { once: true })
    return promise
  }

  /** Takes slots of the engine and ends the wait with it. */
  assign(engine: EngineEntry): void {
    this.#tried.push(engine)
    this.#free = engine.take(this.answers)
    this.#turn?.resolve({ engine, facts: engine.facts! })
  }

  endWithoutEngine(): void {
    this.#turn?.resolve()
  }

  fail(error: Error): void {
    this.#turn?.reject(error)
  }

  /** Gives back the slots it holds. */
  free(): void {
    this.#free()
  }
}
