import { setImmediate as nextImmediate } from 'node:timers/promises'
import { toServiceError } from '../../shared/api/errors.ts'
import { kvTokensOf } from '../engine/memory/cache-limits.ts'
import { createEngine } from '../engine/engine.ts'
import type { GenerateJob } from '../engine/job.ts'
import type { Model } from '../model/model.ts'
import { Outbox } from './outbox.ts'
import type { EngineSettings, JobKey, ToParent } from './protocol.ts'
import { toWire } from './wire-error.ts'

/**
 * Milliseconds between two steps that go to receiving images at most. The socket holds 0.2 MB, all that would arrive
 * while a step blocks this thread; in this time about 5 MB do, and a running stream hardly notices.
 */
const maxIntakeMs = 20

interface JobServerOptions {
  readonly model: Model
  readonly settings: EngineSettings
  readonly send: (message: ToParent) => void
}

/** What ends a running job, and what ends its single choices. */
interface RunningJob {
  readonly cancel: AbortController
  readonly enough: readonly AbortController[]
}

/** Runs jobs that arrive as messages on one engine, and sends back what happens to them. */
export class JobServer {
  readonly #model: Model
  readonly #send: (message: ToParent) => void
  readonly #engine
  readonly #outbox: Outbox
  readonly #running = new Map<JobKey, RunningJob>()
  readonly #incoming = new Set<JobKey>()

  constructor({ model, settings, send }: JobServerOptions) {
    this.#model = model
    this.#send = send
    const { kvTokens, ...caches } = settings.caches
    const tokens = kvTokensOf(kvTokens, model.info, process.availableMemory())
    this.#engine = createEngine({
      ...settings,
      caches: { ...caches, kvTokens: tokens },
      model,
      yieldToEvents: () => this.#yieldAndSend(),
    })
    this.#outbox = new Outbox(send, () => this.#engine.snapshot())
    send({ type: 'ready', snapshot: this.#engine.snapshot() })
  }

  /** Announces a large `generate`: steps make room for its arrival. */
  expect(key: JobKey): void {
    this.#incoming.add(key)
  }

  /** Settles when the job has ended; never rejects. */
  async generate(key: JobKey, job: GenerateJob): Promise<void> {
    this.#incoming.delete(key)
    const cancel = new AbortController()
    const enough = Array.from({ length: job.choices ?? 1 }, () => new AbortController())
    this.#running.set(key, { cancel, enough })
    try {
      const ends = enough.map((choice) => choice.signal)
      for await (const event of this.#engine.generate(job, cancel.signal, ends)) {
        this.#outbox.post({ key, event })
      }
    } catch (thrown) {
      const error = toServiceError(thrown)
      if (error.code === 'internal') this.#send({ type: 'problem', text: describeProblem(error) })
      this.#outbox.post({ key, error: toWire(error) })
    } finally {
      this.#running.delete(key)
    }
  }

  cancel(key: JobKey): void {
    this.#running.get(key)?.cancel.abort()
  }

  endChoice(key: JobKey, choice: number): void {
    this.#running.get(key)?.enough[choice]?.abort()
  }

  /** Ends all jobs and closes the model. */
  async close(): Promise<void> {
    await this.#engine.close()
    this.#outbox.flush()
    await this.#model.close()
  }

  /** While this waits, readers take what the last step made; then it leaves before the next step blocks the thread. */
  async #yieldAndSend(): Promise<void> {
    await nextImmediate()
    this.#outbox.flush()
    const until = performance.now() + maxIntakeMs
    while (this.#incoming.size > 0 && performance.now() < until) await nextImmediate()
  }
}

function describeProblem(error: Error): string {
  const { cause } = error
  const detail = cause instanceof Error ? (cause.stack ?? cause.message) : ''
  return detail === '' ? error.message : `${error.message}: ${detail}`
}
