import { setImmediate as nextImmediate } from 'node:timers/promises'
import { toServiceError } from '../../../shared/api/errors.ts'
import { kvTokensOf } from '../../engine/memory/cache-limits.ts'
import { createEngine } from '../../engine/engine.ts'
import type { GenerateJob, Generation } from '../../engine/job.ts'
import { Vocabulary } from '../../grammar/masks/vocabulary.ts'
import { warmUpMasks } from '../../grammar/masks/warm-up.ts'
import type { TokenBytes } from '../../model/config/tokenizer-file.ts'
import type { Model } from '../../model/model.ts'
import { Outbox } from './outbox.ts'
import type { EngineSettings, JobKey, ToParent } from '../protocol.ts'
import { defaultSilenceLimits } from '../watchdog.ts'
import { watchModel } from './watched-model.ts'
import { toWire } from '../wire-error.ts'
import { WorkWatch } from './work-watch.ts'

/**
 * The most milliseconds between two steps that are spent receiving images. While a step blocks this thread, the
 * socket only holds 0.2 MB; in this time about 5 MB arrive, and a running stream hardly notices.
 */
const maxIntakeMs = 20

/** Milliseconds from which a call of the model is announced: well below the silence a process is allowed. */
const announcedFromMs = defaultSilenceLimits.servingMs / 2

interface JobServerOptions {
  readonly model: Model
  /** The texts of the model's tokens; without them no job may have a format. */
  readonly tokens?: TokenBytes | undefined
  readonly settings: EngineSettings
  /** Memory that is free now that the model is loaded; the cache's size depends on it unless it is set. */
  readonly freeBytes: number
  readonly send: (message: ToParent) => void
  /** Called when the model is lost, with a text for the operator; the process has to end. */
  readonly onLost: (text: string) => void
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number
}

interface RunningJob {
  readonly generation: Generation
  readonly cancel: AbortController
}

/** Runs jobs that arrive as messages on one engine, and sends back their events. */
export class JobServer {
  readonly #model: Model
  readonly #sendNow: (message: ToParent) => void
  readonly #engine
  readonly #outbox: Outbox
  readonly #now: () => number
  readonly #watch = new WorkWatch()
  readonly #running = new Map<JobKey, RunningJob>()
  readonly #incoming = new Set<JobKey>()

  constructor(options: JobServerOptions) {
    const { model: asked, tokens: texts, settings, freeBytes, send, onLost } = options
    const { now = () => performance.now() } = options
    const model = watchModel(asked, {
      watch: this.#watch,
      now,
      onCall: (boundMs) => this.#announceCall(boundMs),
      onLost: (error) => onLost(error.message),
    })
    this.#model = model
    this.#sendNow = send
    this.#now = now
    const { kvTokens, ...caches } = settings.caches
    const { cacheTokens } = model.info
    const tokens = cacheTokens ?? kvTokensOf(kvTokens, model.info, freeBytes)
    this.#engine = createEngine({
      ...settings,
      caches: { ...caches, kvTokens: tokens },
      model,
      vocabulary: texts && loadVocabulary(texts, model.info.vocabSize),
      yieldToEvents: () => this.#yieldAndSend(),
    })
    this.#outbox = new Outbox(
      (message) => this.#send(message),
      () => this.#engine.snapshot(),
    )
    send({ type: 'ready', snapshot: this.#engine.snapshot() })
  }

  /** Announces a large `generate`, for whose arrival steps make room. */
  expect(key: JobKey): void {
    this.#incoming.add(key)
  }

  /** Settles when the job has ended; never rejects. */
  async generate(key: JobKey, job: GenerateJob): Promise<void> {
    this.#incoming.delete(key)
    const cancel = new AbortController()
    const generation = this.#engine.generate(job, cancel.signal)
    this.#running.set(key, { generation, cancel })
    this.#watch.jobBegins(this.#now())
    try {
      for await (const event of generation) this.#outbox.post({ key, event })
    } catch (thrown) {
      const error = toServiceError(thrown)
      if (error.code === 'internal') this.#send({ type: 'problem', text: describeProblem(error) })
      this.#outbox.post({ key, error: toWire(error) })
    } finally {
      this.#running.delete(key)
      this.#watch.jobEnded()
    }
  }

  /** Answers, unless something is stuck. @returns what that is, for the operator */
  answerPing(): string | undefined {
    const problem = this.#watch.problem(this.#now())
    if (problem === undefined) this.#send({ type: 'pong' })
    return problem
  }

  cancel(key: JobKey): void {
    this.#running.get(key)?.cancel.abort()
  }

  stopChoice(key: JobKey, choice: number): void {
    this.#running.get(key)?.generation.stop(choice)
  }

  /** Ends all jobs and closes the model. */
  async close(): Promise<void> {
    await this.#engine.close()
    this.#outbox.flush()
    await this.#model.close()
  }

  #announceCall(boundMs: number): void {
    if (boundMs >= announcedFromMs) this.#sendNow({ type: 'busy', boundMs })
  }

  /**
   * While a call of the model is in another thread, this one can send something, which ends the announced time; the rest of the
   * call may still block it.
   */
  #send(message: ToParent): void {
    this.#sendNow(message)
    this.#announceCall(this.#watch.callMsLeft(this.#now()))
  }

  /**
   * During the wait, readers consume the last step's events, which are then sent before the next step blocks the
   * thread.
   */
  async #yieldAndSend(): Promise<void> {
    await nextImmediate()
    this.#outbox.flush()
    const until = performance.now() + maxIntakeMs
    while (this.#incoming.size > 0 && performance.now() < until) await nextImmediate()
  }
}

function loadVocabulary(texts: TokenBytes, vocabSize: number): Vocabulary {
  const vocabulary = new Vocabulary(texts, vocabSize)
  warmUpMasks(vocabulary)
  return vocabulary
}

function describeProblem(error: Error): string {
  const { cause } = error
  const detail = cause instanceof Error ? (cause.stack ?? cause.message) : ''
  return detail === '' ? error.message : `${error.message}: ${detail}`
}
