import { FixedQueue, Piscina } from 'piscina'
import { ServiceError } from '../../../shared/api/errors.ts'
import { startDeadline } from '../../../shared/async/deadline.ts'
import { estimateDecode, type DecodeCost } from '../image-file/decode-cost.ts'
import { maxDecodeElapsedMs } from '../image-file/decode-limits.ts'
import {
  createImageProcesses,
  type ImageOrder,
  type ImageProcesses,
  type ImageTask,
} from '../image-process/image-processes.ts'
import { lowersAfterMs } from '../image-process/lowers-after.ts'
import type { ImageOutcomes, ProcessorTasks, TaskCaller } from './processor-tasks.ts'
import type { GateTask } from './running-tasks.ts'
import { createTaskGate } from './task-gate.ts'

/** Milliseconds an extra thread or process stays after its last task: loading a large vocabulary again takes 0.6 s. */
const idleMs = 60_000

/**
 * Threads that encode text: each holds a tokenizer of up to 80 MB. With two, one huge prompt does not block all
 * others.
 */
const maxTextThreads = 2

/**
 * Images decoded beyond one per core, each for a tenant with no other decoding in progress: a short picture does not
 * queue behind long ones, not even behind those of several tenants. Each takes a process of 60 MB.
 */
const spareImages = 3

/**
 * Fraction of the memory for decoding that is kept for tenants with no other decoding in progress: an eighth of the 2 GB
 * there are by default is a photo of 39 megapixels, or one of 20 with several scans. The largest AVIFs and TIFFs take all of the rest,
 * some for half a minute.
 */
const keptMemory = 1 / 8

/** Expected milliseconds per character of a text. */
const estimatedMsPerCharacter = 1e-4

export interface TaskPool extends ProcessorTasks {
  /** Process ids of those that decode images. */
  readonly imagePids: readonly number[]
  /** How many threads there are now that encode texts. */
  readonly threadCount: number
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
  const { modelFolder } = options
  const textThreads = Math.min(maxTextThreads, options.threads)
  const texts = startThreads(textThreads, options)
  const images = createImageProcesses({
    entry: options.imageProcess,
    modelFolder,
    idleMs,
    lowersAfterMs,
  })
  const { textGate, imageGate } = createGates(textThreads, options)
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
    caller: TaskCaller,
  ): Promise<ImageOutcomes[Task]> {
    const { signal } = caller
    const cost = estimateDecode(order.file)
    const decode = () => decodeInTime(images, { order, estimatedMs: cost.ms }, signal)
    return whileOpen(() => imageGate(decode, imageTask(caller, cost), signal))
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
    get threadCount() {
      return texts.threads.length
    },
    async close() {
      closed = true
      images.close()
      await texts.destroy()
    },
  }
}

function createGates(
  textThreads: number,
  { threads, decodeMemoryBytes, tenantWeights: weights }: TaskPoolOptions,
) {
  const now = () => performance.now()
  const none = { spare: 0, memoryBytes: 0, keptBytes: 0 }
  const keptBytes = decodeMemoryBytes * keptMemory
  const memoryBytes = decodeMemoryBytes - keptBytes
  const images = { limit: threads, spare: spareImages, memoryBytes, keptBytes }
  return {
    textGate: createTaskGate({ ...none, limit: textThreads, weights, now }),
    imageGate: createTaskGate({ ...images, weights, now }),
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

/** The pictures of one caller are a group: those of a tenant's requests take turns. */
function imageTask(caller: TaskCaller, { ms, bytes }: DecodeCost): GateTask {
  return { tenant: caller.tenant, group: caller, estimatedWork: 1 + ms, memoryBytes: bytes }
}

/** @param signal its abort, or a timeout, ends the process that works on the file */
async function decodeInTime<Task extends ImageTask>(
  images: ImageProcesses,
  { order, estimatedMs }: { readonly order: ImageOrder<Task>; readonly estimatedMs: number },
  signal: AbortSignal,
): Promise<ImageOutcomes[Task]> {
  const deadline = startDeadline(maxDecodeElapsedMs, signal)
  try {
    return await images.run(order, estimatedMs, deadline.signal)
  } catch (cause) {
    if (signal.aborted || !deadline.expired) throw cause
    const message = `decoding takes longer than ${maxDecodeElapsedMs / 1000} s`
    return { ok: false, code: 'image_too_large', message } as ImageOutcomes[Task]
  } finally {
    deadline.release()
  }
}

function shuttingDown(): ServiceError {
  return new ServiceError('shutting_down', 'The server is shutting down')
}
