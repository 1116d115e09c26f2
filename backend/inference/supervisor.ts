import type { ChildProcess } from 'node:child_process'
import { ServiceError } from '../../shared/api/errors.ts'
import { abortError } from '../engine/abort-error.ts'
import { EventQueue } from '../engine/jobs/event-queue.ts'
import type { Engine, EngineEvent, EngineSnapshot, GenerateJob } from '../engine/job.ts'
import { childGone } from './child-gone.ts'
import { forkChild } from './fork-child.ts'
import type { InferenceInit, JobKey, JobUpdate, ToChild, ToParent } from './protocol.ts'
import { defaultRestartDelays, nextRestartDelay, type RestartDelays } from './restart-policy.ts'
import { fromWire } from './wire-error.ts'

/** Milliseconds an inference process may take to end by itself: one step of a large model, and its memory freed. */
const defaultCloseTimeoutMs = 2_000

/** A process that dies while it first loads may have met a passing lack of memory; three times is a pattern. */
const maxFirstLoads = 3

/**
 * - loading: the first process is not ready yet
 * - restarting: a process ended and its successor is not ready yet
 * - failed: the model cannot be loaded; final
 * - stopped: `close` was called; final
 */
export type InferenceState = 'loading' | 'ready' | 'restarting' | 'failed' | 'stopped'

/** The engine in a process of its own: whatever happens to it, this process lives on. */
export interface Inference extends Engine {
  state(): InferenceState
  /** Settles when the model is loaded for the first time. Rejects with a text for the operator when it cannot be. */
  ready(): Promise<void>
  /** Ends all jobs with `shutting_down`, then the process: by request, after a while by SIGKILL. */
  close(): Promise<void>
}

interface InferenceOptions {
  /** Path of the bundled child program. */
  readonly entry: string
  readonly init: InferenceInit
  /** Environment of the child. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** For the operator; may hold paths and stacks. */
  readonly log: (level: 'info' | 'error', text: string) => void
  readonly restartDelays?: RestartDelays
  readonly closeTimeoutMs?: number
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number
}

/** Starts the inference process, and starts it again whenever it ends. */
export function createInference(options: InferenceOptions): Inference {
  return new Supervisor(options)
}

class Supervisor implements Inference {
  readonly #options: InferenceOptions
  readonly #delays: RestartDelays
  readonly #now: () => number
  readonly #ready = createDeferred()
  readonly #jobs = new Map<JobKey, EventQueue>()
  #nextKey: JobKey = 0
  #state: InferenceState = 'loading'
  #snapshot: EngineSnapshot
  #child: ChildProcess | undefined
  /** Settles when the current child is gone and its end is dealt with. */
  #gone: Promise<void> = Promise.resolve()
  #loads = 0
  #fatalError: string | undefined
  #readySince: number | undefined
  #delayMs: number | undefined
  #restart: NodeJS.Timeout | undefined
  #closed: Promise<void> | undefined

  constructor(options: InferenceOptions) {
    this.#options = options
    this.#delays = options.restartDelays ?? defaultRestartDelays
    this.#now = options.now ?? (() => performance.now())
    this.#snapshot = idleSnapshot(options.init)
    this.#start()
  }

  state(): InferenceState {
    return this.#state
  }

  ready(): Promise<void> {
    return this.#ready.promise
  }

  snapshot(): EngineSnapshot {
    return this.#snapshot
  }

  async *generate(
    job: GenerateJob,
    signal: AbortSignal,
    enough: readonly AbortSignal[] = [],
  ): AsyncGenerator<EngineEvent, void> {
    if (signal.aborted) throw abortError(signal)
    if (this.#state !== 'ready') throw notReadyError(this.#state)
    const key = this.#nextKey++
    const events = new EventQueue()
    const onAbort = () => {
      events.fail(abortError(signal))
      this.#cancel(key)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    enough.forEach((choiceSignal, choice) => {
      const onEnough = () => this.#endChoice(key, choice)
      choiceSignal.addEventListener('abort', onEnough, { once: true })
    })
    this.#jobs.set(key, events)
    try {
      if (job.images.length > 0) this.#send({ type: 'incoming', key })
      this.#send({ type: 'generate', key, job })
      yield* events.read()
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#cancel(key)
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#stop()
    return this.#closed
  }

  async #stop(): Promise<void> {
    this.#state = 'stopped'
    clearTimeout(this.#restart)
    this.#ready.reject(shuttingDownError())
    this.#endJobs(shuttingDownError)
    this.#send({ type: 'close' })
    const timeoutMs = this.#options.closeTimeoutMs ?? defaultCloseTimeoutMs
    const kill = setTimeout(() => this.#child?.kill('SIGKILL'), timeoutMs)
    await this.#gone
    clearTimeout(kill)
  }

  #start(): void {
    const { entry, environment, init } = this.#options
    this.#loads += 1
    this.#fatalError = undefined
    const child = forkChild(entry, environment)
    this.#child = child
    child.on('message', (message: ToParent) => this.#receive(message))
    this.#gone = childGone(child).then((ending) => this.#onGone(ending))
    this.#send({ type: 'init', init })
  }

  /** A child that is gone hears nothing; its end is dealt with when it is noticed. */
  #send(message: ToChild): void {
    this.#child?.send(message, () => {})
  }

  #receive(message: ToParent): void {
    switch (message.type) {
      case 'progress':
        this.#options.log('info', message.text)
        return
      case 'problem':
        this.#options.log('error', message.text)
        return
      case 'fatal':
        this.#fatalError = message.text
        return
      case 'ready':
        this.#snapshot = message.snapshot
        if (this.#state === 'stopped') return
        this.#state = 'ready'
        this.#readySince = this.#now()
        this.#ready.resolve()
        return
      case 'update':
        this.#snapshot = message.snapshot ?? this.#snapshot
        for (const update of message.jobs) this.#deliver(update)
        return
    }
  }

  #deliver(update: JobUpdate): void {
    const events = this.#jobs.get(update.key)
    const last = 'error' in update || update.event.type === 'end'
    if (last) this.#jobs.delete(update.key)
    if ('error' in update) events?.fail(fromWire(update.error))
    else events?.push(update.event)
  }

  /** Does nothing when the job has ended. */
  #cancel(key: JobKey): void {
    if (this.#jobs.delete(key)) this.#send({ type: 'cancel', key })
  }

  /** Does nothing when the job has ended. */
  #endChoice(key: JobKey, choice: number): void {
    if (this.#jobs.has(key)) this.#send({ type: 'enough', key, choice })
  }

  #endJobs(createError: () => ServiceError): void {
    for (const events of this.#jobs.values()) events.fail(createError())
    this.#jobs.clear()
  }

  #onGone(ending: string): void {
    this.#child = undefined
    this.#snapshot = idleSnapshot(this.#options.init)
    this.#endJobs(restartedError)
    if (this.#state === 'stopped') return
    const readyForMs = this.#readySince === undefined ? 0 : this.#now() - this.#readySince
    this.#readySince = undefined
    const problem = this.#fatalError ?? `The inference process ended (${ending})`
    if (this.#state === 'loading' && (this.#fatalError || this.#loads >= maxFirstLoads)) {
      this.#state = 'failed'
      this.#ready.reject(new Error(`Cannot load the model: ${problem}`))
      return
    }
    if (this.#state === 'ready') this.#state = 'restarting'
    this.#delayMs = nextRestartDelay(this.#delayMs, readyForMs, this.#delays)
    this.#options.log('error', `${problem}; it starts again in ${this.#delayMs} ms`)
    this.#restart = setTimeout(() => this.#start(), this.#delayMs)
  }
}

function idleSnapshot({ model, engine }: InferenceInit): EngineSnapshot {
  const { queueLimit, queueWorkLimit } = engine
  const queue = { queued: 0, queuedInteractive: 0, queuedBatch: 0, queuedWork: 0 }
  const limits = { queueLimit, queueWorkLimit }
  const running = { slotsInUse: 0, cachedTokens: 0, steps: 0, workPerSecond: 0 }
  const tokens = { limitTokens: 0, bytesPerToken: 0, slotTokens: 0, prefixTokens: 0 }
  const caches = { memory: { ...tokens, imageBytes: 0 }, visionRuns: 0 }
  return { slots: model.slots, ...queue, ...limits, ...running, ...caches }
}

function notReadyError(state: Exclude<InferenceState, 'ready'>): ServiceError {
  switch (state) {
    case 'loading':
    case 'restarting':
      return new ServiceError('model_loading', 'The model is still loading')
    case 'failed':
      return new ServiceError('backend_unavailable', 'The model could not be loaded')
    case 'stopped':
      return shuttingDownError()
  }
}

function restartedError(): ServiceError {
  return new ServiceError('engine_restarted', 'The engine stopped while it worked on the request')
}

function shuttingDownError(): ServiceError {
  return new ServiceError('shutting_down', 'The server is shutting down')
}

/** A promise that others settle; a rejection that nobody waits for is no error. */
function createDeferred() {
  let resolve!: () => void
  let reject!: (error: Error) => void
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  promise.catch(() => {})
  return { promise, resolve, reject }
}
