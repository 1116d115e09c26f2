import { FixedQueue, Piscina } from 'piscina'
import { ServiceError } from '../../shared/api/errors.ts'
import { estimateDecode } from './image-file/decode-cost.ts'
import { maxDecodeMs } from './image-file/decode-limits.ts'
import {
  createImageProcesses,
  type ImageOrder,
  type ImageProcesses,
  type ImageTask,
} from './image-process/image-processes.ts'
import type { ImageOutcomes, ProcessorTasks, TaskCaller } from './processor-tasks.ts'
import { createTaskGate, type GateTask } from './task-gate.ts'

/** Milliseconds an extra thread or process stays after its last task: loading a large vocabulary again takes 0.6 s. */
const idleMs = 60_000

/**
 * Threads that encode text: each holds a tokenizer of up to 80 MB. With two, one huge prompt does not block all
 * others.
 */
const maxTextThreads = 2

/** Images decoded beyond one per core, each for a tenant with no other decoding in progress. */
const spareImages = 1

/** Expected milliseconds per character of a text. */
const estimatedMsPerCharacter = 1e-4

export interface TaskPool extends ProcessorTasks {
  /** Process ids of those that decode images. */
  readonly imagePids: readonly number[]
}

interface TaskPoolOptions {
  /** Path of text-worker.ts. */
  readonly textWorker: string
  /** Path of image-process.ts. */
  readonly imageProcess: string
  readonly modelFolder: string
  /** The most images decoded at a time, plus `spareImages`; the number of CPU cores. */
  readonly threads: number
  /** Bytes that decoding may take, for all images together; see `DECODE_MEMORY_MB`. */
  readonly decodeMemoryBytes: number
  /** Weights of tenants in sharing time; 1 for those not named. */
  readonly tenantWeights: ReadonlyMap<string, number>
}

/**
 * Runs a processor's tasks outside of this thread: text in worker threads, images in processes, which can be killed
 * at any point. The two do not wait for each other; one of each is always ready, and idle ones end. Tenants share the
 * time fairly.
 */
export function createTaskPool(options: TaskPoolOptions): TaskPool {
  const { threads, modelFolder, tenantWeights: weights } = options
  const now = () => performance.now()
  const textThreads = Math.min(maxTextThreads, threads)
  const texts = startThreads(textThreads, options)
  const images = createImageProcesses({ entry: options.imageProcess, modelFolder, idleMs })
  const textGate = createTaskGate({ limit: textThreads, spare: 0, memoryBytes: 0, weights, now })
  const imageGate = createTaskGate({
    limit: threads,
    spare: spareImages,
    memoryBytes: options.decodeMemoryBytes,
    weights,
    now,
  })
  let closed = false

  /** Neither pool may be used after it was closed. */
  async function whileOpen<Result>(work: () => Promise<Result>): Promise<Result> {
    if (closed) throw shuttingDown()
    try {
      return await work()
    } catch (cause) {
      throw closed ? shuttingDown() : cause
    }
  }

  function runImage<Task extends ImageTask>(
    order: ImageOrder<Task>,
    { tenant, signal }: TaskCaller,
  ): Promise<ImageOutcomes[Task]> {
    const decode = () => decodeInTime(images, order, signal)
    return whileOpen(() => imageGate(decode, imageTask(tenant, order.file), signal))
  }

  return {
    encodeTexts: (list, { tenant, signal }) =>
      // Piscina would stop the thread of an aborted task together with its tokenizer; behind the gate the task merely
      // loses its turn.
      whileOpen(() => textGate(() => texts.run(list), textTask(tenant, list), signal)),
    prepareImage: (file, caller, mostTokens) =>
      runImage({ task: 'prepareImage', file, mostTokens }, caller),
    normalizeImage: (file, caller, mostTokens) =>
      runImage({ task: 'normalizeImage', file, mostTokens }, caller),
    get imagePids() {
      return images.pids
    },
    async close() {
      closed = true
      images.close()
      await texts.destroy()
    },
  }
}

function startThreads(threads: number, { textWorker, modelFolder }: TaskPoolOptions) {
  return new Piscina<readonly string[], Int32Array[]>({
    filename: textWorker,
    workerData: { modelFolder },
    minThreads: 1,
    maxThreads: threads,
    idleTimeout: idleMs,
    // Piscina's default queue is a single object shared by all pools.
    taskQueue: new FixedQueue(),
    recordTiming: false,
  })
}

function textTask(tenant: string, list: readonly string[]): GateTask {
  const characters = list.reduce((sum, { length }) => sum + length, 0)
  return { tenant, estimatedWork: 1 + estimatedMsPerCharacter * characters, memoryBytes: 0 }
}

function imageTask(tenant: string, file: Uint8Array): GateTask {
  const { ms, bytes } = estimateDecode(file)
  return { tenant, estimatedWork: 1 + ms, memoryBytes: bytes }
}

/** @param signal its abort, or a timeout, ends the process that works on the file */
async function decodeInTime<Task extends ImageTask>(
  images: ImageProcesses,
  order: ImageOrder<Task>,
  signal: AbortSignal,
): Promise<ImageOutcomes[Task]> {
  const tooLate = AbortSignal.timeout(maxDecodeMs)
  try {
    return await images.run(order, AbortSignal.any([signal, tooLate]))
  } catch (cause) {
    if (signal.aborted || !tooLate.aborted) throw cause
    const message = `decoding takes longer than ${maxDecodeMs / 1000} s`
    return { ok: false, code: 'image_too_large', message } as ImageOutcomes[Task]
  }
}

function shuttingDown(): ServiceError {
  return new ServiceError('shutting_down', 'The server is shutting down')
}
