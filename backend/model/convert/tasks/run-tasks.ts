import { Worker } from 'node:worker_threads'
import { unlessAborted } from '../../../../shared/async/unless-aborted.ts'
import type { GraphOptions } from '../graphs/build-graphs.ts'
import type { ConversionEvent, ConversionTask } from './conversion-task.ts'
import type { FromWorker, WorkerInit } from './worker-protocol.ts'
import { Converter } from './converter.ts'
import type { ModelSource } from '../source/model-source.ts'

const workerFile = new URL('./conversion-worker.ts', import.meta.url)

/** Threads with a fifth of a second each to start pay off from here. */
export const leastParallelBytes = 256 * 1024 * 1024

interface RunOptions {
  readonly options: GraphOptions
  /** Where the files are written. */
  readonly folder: string
  readonly threads: number
  /** Bytes to be written. */
  readonly totalBytes: number
  readonly signal: AbortSignal
}

/** Does all tasks: small ones here, larger ones in threads, each of which takes the next task when it is done with one. */
export function runTasks(
  source: ModelSource,
  tasks: readonly ConversionTask[],
  run: RunOptions,
): AsyncIterable<ConversionEvent> {
  const threads = Math.min(run.threads, tasks.length)
  return source.folder === undefined || threads < 2 || run.totalBytes < leastParallelBytes
    ? runHere(source, tasks, run)
    : runInThreads(source.folder, tasks, { ...run, threads })
}

async function* runHere(
  source: ModelSource,
  tasks: readonly ConversionTask[],
  { options, folder, signal }: RunOptions,
): AsyncGenerator<ConversionEvent, void> {
  const converter = new Converter(source, options, folder)
  try {
    for (const task of tasks) yield* converter.run(task, signal)
  } finally {
    await converter.close()
  }
}

async function* runInThreads(
  checkpointDir: string,
  tasks: readonly ConversionTask[],
  { options, folder, threads, signal }: RunOptions,
): AsyncGenerator<ConversionEvent, void> {
  const workerData: WorkerInit = { checkpointDir, options, folder }
  const workers = Array.from({ length: threads }, () => new Worker(workerFile, { workerData }))
  const messages = mergedMessages(workers)
  let [next, idle] = [0, 0]
  try {
    while (idle < threads) {
      const { worker, message } = await unlessAborted(messages.next(), signal)
      if (message.type === 'failed') throw new Error(message.problem)
      if (message.type === 'event') yield message.event
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, which has no origin
      else if (next < tasks.length) worker.postMessage(tasks[next++])
      else idle += 1
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

interface Received {
  readonly worker: Worker
  readonly message: FromWorker
}

/** Messages of all workers in the order of their arrival. */
function mergedMessages(workers: readonly Worker[]) {
  const stream = new ReadableStream<Received>({
    start(controller) {
      for (const worker of workers) {
        worker.on('message', (message: FromWorker) => controller.enqueue({ worker, message }))
        worker.on('error', (error) => controller.error(error))
      }
    },
  })
  const reader = stream.getReader()
  return {
    /** @throws {Error} the error that ended a worker */
    async next(): Promise<Received> {
      const { value } = await reader.read()
      return value!
    },
  }
}
