import { fileURLToPath } from 'node:url'
import type { BackendConfig } from '../config.ts'
import { errorText } from '../../shared/log/error-text.ts'
import { createFormatCompiler, type FormatCompiler } from '../processor/tasks/format-compiler.ts'
import { createTaskPool, type TaskPool } from '../processor/tasks/task-pool.ts'

// Each of these is a separate program.
const compileWorker = fileURLToPath(
  new URL('../grammar/compile/compile-worker.ts', import.meta.url),
)
const textWorker = fileURLToPath(new URL('../processor/tasks/text-worker.ts', import.meta.url))
const imageProcess = fileURLToPath(
  new URL('../processor/image-process/image-process.ts', import.meta.url),
)

/** What prepares requests outside of this thread, for either kind of engine. */
export interface Processing {
  readonly tasks: TaskPool
  readonly formats: FormatCompiler
}

export function startProcessing({ model, engine, decodeMemoryBytes }: BackendConfig): Processing {
  const { checkpointDir: modelFolder, threads } = model
  const { tenantWeights } = engine
  const tasks = createTaskPool({
    textWorker,
    imageProcess,
    modelFolder,
    threads,
    decodeMemoryBytes,
    tenantWeights,
  })
  return { tasks, formats: createFormatCompiler({ worker: compileWorker, tenantWeights }) }
}

export function workerThreads({ tasks, formats }: Processing): number {
  return tasks.threadCount + formats.threadCount
}

/** Loads what turns text and pictures into an engine's input. @throws {Error} for the operator, naming the folder */
export async function loadFrom<Loaded>(
  folder: string,
  load: () => Promise<Loaded>,
): Promise<Loaded> {
  try {
    return await load()
  } catch (cause) {
    throw new Error(`Cannot load the model in ${folder}: ${errorText(cause)}`, { cause })
  }
}

/** The milliseconds of a monotonic clock. */
export const now = (): number => performance.now()
