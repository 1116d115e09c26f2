import type { ServiceError } from '../../../shared/api/errors.ts'
import { abortError } from '../../engine/abort-error.ts'
import type { EngineEvent, GenerateJob, Generation } from '../../engine/job.ts'
import { EventQueue } from '../../engine/jobs/event-queue.ts'
import type { JobKey, JobUpdate, ToChild } from '../protocol.ts'
import { fromWire } from '../wire-error.ts'

interface RunningJobsParts {
  /** @throws {ServiceError} while no job can be accepted */
  readonly checkReady: () => void
  /** Does nothing when there is no process. */
  readonly send: (message: ToChild) => void
}

/** The jobs that the inference process works on: what is sent for each, and the events that come back. */
export class RunningJobs {
  readonly #parts: RunningJobsParts
  readonly #jobs = new Map<JobKey, EventQueue>()
  #nextKey: JobKey = 0

  constructor(parts: RunningJobsParts) {
    this.#parts = parts
  }

  generate(job: GenerateJob, signal: AbortSignal): Generation {
    const key = this.#nextKey++
    const events = this.#events(key, job, signal)
    return {
      [Symbol.asyncIterator]: () => events,
      // Does nothing when the job has ended.
      stop: (choice) => {
        if (this.#jobs.has(key)) this.#parts.send({ type: 'stop', key, choice })
      },
    }
  }

  deliver(update: JobUpdate): void {
    const events = this.#jobs.get(update.key)
    const last = 'error' in update || update.event.type === 'end'
    if (last) this.#jobs.delete(update.key)
    if ('error' in update) events?.fail(fromWire(update.error))
    else events?.push(update.event)
  }

  endAll(createError: () => ServiceError): void {
    for (const events of this.#jobs.values()) events.fail(createError())
    this.#jobs.clear()
  }

  async *#events(
    key: JobKey,
    job: GenerateJob,
    signal: AbortSignal,
  ): AsyncGenerator<EngineEvent, void> {
    if (signal.aborted) throw abortError(signal)
    const { checkReady, send } = this.#parts
    checkReady()
    const events = new EventQueue()
    const onAbort = () => {
      events.fail(abortError(signal))
      this.#cancel(key)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#jobs.set(key, events)
    try {
      if (job.images.length > 0) send({ type: 'incoming', key })
      send({ type: 'generate', key, job })
      yield* events.read()
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#cancel(key)
    }
  }

  /** Does nothing when the job has ended. */
  #cancel(key: JobKey): void {
    if (this.#jobs.delete(key)) this.#parts.send({ type: 'cancel', key })
  }
}
