import type { Engine, EngineSnapshot, GenerateJob, Generation } from '../engine/job.ts'
import {
  notReadyError,
  restartedError,
  shuttingDownError,
  type InferenceState,
} from './supervisor/inference-state.ts'
import { idleSnapshot } from './supervisor/idle-snapshot.ts'
import { InferenceProcess } from './supervisor/inference-process.ts'
import { memoryText, type MemoryCheck } from '../memory/memory-check.ts'
import type { InferenceInit, ToParent } from './protocol.ts'
import {
  defaultRestartDelays,
  nextRestartDelay,
  type RestartDelays,
} from './supervisor/restart-policy.ts'
import { RunningJobs } from './supervisor/running-jobs.ts'
import { StartProgress, type StartUp } from './supervisor/start-progress.ts'
import { defaultSilenceLimits, type SilenceLimits } from './watchdog.ts'

/** Milliseconds an inference process may take to end by itself: one step of a large model, and freeing its memory. */
const defaultCloseTimeoutMs = 2_000

/**
 * A process that dies or hangs during its first load may have hit a temporary lack of memory; three times is a
 * pattern.
 */
const maxFirstLoads = 3

/** The engine in a separate process: whatever happens to it, this process lives on. */
export interface Inference extends Engine {
  state(): InferenceState
  /** How far the current process is, or was when it became ready. */
  startUp(): StartUp
  /** Whether the model fits, as the current process found before it loaded it. */
  memory(): MemoryCheck | undefined
  /** Of the process, while there is one. */
  pid(): number | undefined
  /** Settles when the model is loaded for the first time. Rejects with a message for the operator when it cannot be. */
  ready(): Promise<void>
  /** `listener` is called each time a process has loaded the model from here on. */
  onReady(listener: () => void): void
  /** Ends all jobs with `shutting_down`, then the process: by request, and after a while by SIGKILL. */
  close(): Promise<void>
}

interface InferenceOptions {
  /** Path of the child program. */
  readonly entry: string
  readonly init: InferenceInit
  /** Environment of the child. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** For the operator; may hold paths and stack traces. */
  readonly log: (level: 'info' | 'error', text: string) => void
  readonly restartDelays?: RestartDelays
  readonly silenceLimits?: SilenceLimits
  readonly closeTimeoutMs?: number
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number
}

/** Starts the inference process, and restarts it whenever it ends or hangs. */
export function createInference(options: InferenceOptions): Inference {
  return new Supervisor(options)
}

class Supervisor implements Inference {
  readonly #options: InferenceOptions
  readonly #delays: RestartDelays
  readonly #now: () => number
  readonly #progress: StartProgress
  readonly #ready = Promise.withResolvers<void>()
  readonly #jobs = new RunningJobs({
    checkReady: () => {
      if (this.#state !== 'ready') throw notReadyError(this.#state)
    },
    send: (message) => this.#process?.send(message),
  })
  #onReady: () => void = () => {}
  #state: InferenceState = 'loading'
  #snapshot: EngineSnapshot
  #process: InferenceProcess | undefined
  /** Settles when the current process is gone and its end has been handled. */
  #gone: Promise<void> = Promise.resolve()
  #memory: MemoryCheck | undefined
  #fatalError: string | undefined
  #delayMs: number | undefined
  #restart: NodeJS.Timeout | undefined
  #closed: Promise<void> | undefined

  constructor(options: InferenceOptions) {
    this.#options = options
    this.#delays = options.restartDelays ?? defaultRestartDelays
    this.#now = options.now ?? (() => performance.now())
    this.#progress = new StartProgress(this.#now)
    this.#snapshot = idleSnapshot(options.init)
    // A failure that nobody awaits is not an error.
    this.#ready.promise.catch(() => {})
    this.#start()
  }

  state(): InferenceState {
    return this.#state
  }

  pid(): number | undefined {
    return this.#process?.pid
  }

  startUp(): StartUp {
    return this.#progress.report()
  }

  memory(): MemoryCheck | undefined {
    return this.#memory
  }

  ready(): Promise<void> {
    return this.#ready.promise
  }

  onReady(listener: () => void): void {
    this.#onReady = listener
  }

  snapshot(): EngineSnapshot {
    return this.#snapshot
  }

  generate(job: GenerateJob, signal: AbortSignal): Generation {
    return this.#jobs.generate(job, signal)
  }

  close(): Promise<void> {
    this.#closed ??= this.#stop()
    return this.#closed
  }

  async #stop(): Promise<void> {
    this.#state = 'stopped'
    clearTimeout(this.#restart)
    this.#ready.reject(shuttingDownError())
    this.#jobs.endAll(shuttingDownError)
    this.#process?.send({ type: 'close' })
    const timeoutMs = this.#options.closeTimeoutMs ?? defaultCloseTimeoutMs
    const kill = setTimeout(() => this.#process?.kill(), timeoutMs)
    await this.#gone
    clearTimeout(kill)
  }

  #start(): void {
    const { entry, environment, init } = this.#options
    this.#progress.begin()
    this.#fatalError = undefined
    this.#process = new InferenceProcess({
      entry,
      init,
      environment,
      limits: this.#options.silenceLimits ?? defaultSilenceLimits,
      now: this.#now,
      onMessage: (message) => this.#receive(message),
      onHung: () => this.#endWork(),
    })
    this.#gone = this.#process.gone.then((ending) => this.#onGone(ending))
  }

  #receive(message: ToParent): void {
    switch (message.type) {
      case 'progress':
        this.#progress.converting(message.amount)
        this.#options.log('info', message.text)
        return
      case 'loading':
        if (this.#progress.loading(message.amount)) this.#options.log('info', message.text)
        return
      case 'memory':
        this.#memory = message.check
        // A model that does not fit is a fatal error, which follows.
        if (message.check.fits !== false) this.#options.log('info', memoryText(message.check))
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
        this.#progress.ready()
        this.#ready.resolve()
        this.#onReady()
        return
      case 'update':
        this.#snapshot = message.snapshot ?? this.#snapshot
        for (const update of message.jobs) this.#jobs.deliver(update)
        return
      case 'busy':
      case 'pong':
        return
    }
  }

  /** Running work yields nothing more: it fails immediately, and nothing new is accepted. */
  #endWork(): void {
    this.#snapshot = idleSnapshot(this.#options.init)
    this.#jobs.endAll(restartedError)
    if (this.#state === 'ready') this.#state = 'restarting'
  }

  #onGone(ending: string): void {
    this.#process = undefined
    this.#endWork()
    if (this.#state === 'stopped') return
    const readyForMs = this.#progress.end()
    const problem = this.#fatalError ?? ending
    if (
      this.#state === 'loading' &&
      (this.#fatalError || this.#progress.report().starts >= maxFirstLoads)
    ) {
      this.#state = 'failed'
      this.#ready.reject(new Error(`Cannot load the model: ${problem}`))
      return
    }
    this.#delayMs = nextRestartDelay(this.#delayMs, readyForMs, this.#delays)
    this.#options.log('error', `${problem}; it restarts in ${this.#delayMs} ms`)
    this.#restart = setTimeout(() => this.#start(), this.#delayMs)
  }
}
