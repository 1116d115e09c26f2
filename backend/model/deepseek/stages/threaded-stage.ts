import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { DeviceError } from '../../accelerator/accelerator.ts'
import type { StageSetup } from './local-stage.ts'
import type { FromStage, ToStage } from './stage-thread.ts'
import type { CacheChange, Stage, StageOutput, StageStep } from './stage.ts'

const stageThread = new URL('./stage-thread.ts', import.meta.url)

/**
 * Opens a stage in a thread of its own. A thread is blocked while it opens a session, and a session cannot be moved: so
 * stages can be opened side by side only in the threads that will run them.
 * @throws {Error} when the graph cannot be opened
 */
export async function openThreadedStage(setup: StageSetup): Promise<Stage> {
  const worker = new Worker(stageThread, { workerData: setup })
  await once(worker, 'message')
  return new ThreadedStage(worker)
}

/** A stage in another thread. Messages arrive there in the order in which they are sent. */
class ThreadedStage implements Stage {
  readonly #worker: Worker
  #running: PromiseWithResolvers<StageOutput> | undefined
  #failure: DeviceError | undefined

  constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (message: FromStage) => this.#receive(message))
    worker.on('error', (error) => this.#fail((error as Error).message))
    worker.on('exit', () => this.#fail('it ended'))
  }

  change(change: CacheChange): void {
    this.#send({ type: 'change', change })
  }

  /** @throws {DeviceError} when the thread is gone, and with it the cache */
  run(step: StageStep): Promise<StageOutput> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    this.#running = Promise.withResolvers()
    this.#send({ type: 'run', step })
    return this.#running.promise
  }

  commit(): void {
    this.#send({ type: 'commit' })
  }

  async close(): Promise<void> {
    if (this.#failure !== undefined) return
    const gone = once(this.#worker, 'exit')
    this.#send({ type: 'close' })
    await gone
  }

  #send(message: ToStage): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, which has no origin
    this.#worker.postMessage(message)
  }

  #receive(message: FromStage): void {
    if (message.type === 'done') this.#running?.resolve(message.output)
    if (message.type === 'failed') this.#running?.reject(message.error)
  }

  #fail(reason: string): void {
    this.#failure ??= new DeviceError(`A thread of the decoder is lost: ${reason}`)
    this.#running?.reject(this.#failure)
  }
}
