import { isMarkedAsUntransferable } from 'node:worker_threads'
import { FixedQueue, Piscina } from 'piscina'
import { ServiceError } from '../../shared/api/errors.ts'
import type { ImageOutcome, ProcessorTasks, TaskCaller } from './processor-tasks.ts'
import { createTaskGate } from './task-gate.ts'

/** Milliseconds an extra thread outlives its last task: loading a large vocabulary again takes 0.6 s. */
const idleThreadMs = 60_000

/** Threads that encode text: each holds a tokenizer, up to 80 MB. The second keeps one huge prompt from blocking all. */
const maxTextThreads = 2

/** Expected milliseconds per byte of an image file or a text, until it is done: a camera JPEG of 4 MB takes 350 ms. */
const estimatedMsPerByte = 1e-4

interface TaskPoolOptions {
  /** The bundled worker.ts. */
  readonly workerFile: string
  readonly modelFolder: string
  /** Most threads that decode images; the processor's cores. */
  readonly threads: number
  /** Shares of tenants in the threads' time; 1 for those not named. */
  readonly tenantWeights: ReadonlyMap<string, number>
}

/**
 * Runs a processor's tasks in worker threads. Text and images have threads of their own, so neither waits for the
 * other; one of each always stands ready, and idle ones sleep. Tenants share their time fairly.
 */
export function createTaskPool(options: TaskPoolOptions): ProcessorTasks {
  const texts = startThreads('encodeTexts', Math.min(maxTextThreads, options.threads), options)
  const images = startThreads('prepareImage', options.threads, options)
  return {
    encodeTexts: (list, caller) =>
      texts.run<Int32Array[]>(list, { ...caller, bytes: sum(list.map(({ length }) => length)) }),
    prepareImage: (file, caller) =>
      images.run<ImageOutcome>(file, { ...caller, bytes: file.length }, transferable(file)),
    async close() {
      await Promise.all([texts.close(), images.close()])
    },
  }
}

interface SizedCaller extends TaskCaller {
  readonly bytes: number
}

function startThreads(
  name: string,
  threads: number,
  { workerFile, modelFolder, tenantWeights: weights }: TaskPoolOptions,
) {
  const pool = new Piscina({
    filename: workerFile,
    name,
    workerData: { modelFolder },
    minThreads: 1,
    maxThreads: threads,
    idleTimeout: idleThreadMs,
    // Piscina's default queue is one object shared by all pools.
    taskQueue: new FixedQueue(),
    recordTiming: false,
  })
  // Piscina stops the thread of an aborted task, tokenizer and all; behind the gate it only loses its turn.
  const gate = createTaskGate({ limit: threads, weights, now: () => performance.now() })
  let closed = false
  return {
    async run<Result>(
      task: unknown,
      { tenant, signal, bytes }: SizedCaller,
      transferList: ArrayBuffer[] = [],
    ): Promise<Result> {
      // Piscina starts new threads when it is asked after its end.
      if (closed) throw shuttingDown()
      try {
        const start = () => pool.run(task, { transferList }) as Promise<Result>
        return await gate(start, { tenant, estimatedWork: 1 + estimatedMsPerByte * bytes }, signal)
      } catch (cause) {
        throw closed ? shuttingDown() : cause
      }
    },
    async close() {
      closed = true
      await pool.destroy()
    },
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function shuttingDown(): ServiceError {
  return new ServiceError('shutting_down', 'The server is shutting down')
}

/** Memory a file has for itself moves to the thread; a view of something larger, or what a native library owns, is copied. */
function transferable(file: Uint8Array): ArrayBuffer[] {
  const { buffer } = file
  const isItsOwn = buffer instanceof ArrayBuffer && buffer.byteLength === file.byteLength
  return isItsOwn && !isMarkedAsUntransferable(buffer) ? [buffer] : []
}
