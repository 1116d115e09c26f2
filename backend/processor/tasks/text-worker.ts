/** Entry file of a thread that encodes text. */
import { workerData } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { createLocalTasks } from './processor-tasks.ts'

const tasks = createLocalTasks((workerData as { modelFolder: string }).modelFolder)
/** Within a worker nothing waits for other tenants, and nothing is aborted. */
const caller = { tenant: '', signal: new AbortController().signal }

export default async function encodeTexts(texts: readonly string[]): Promise<unknown> {
  const ids = await tasks.encodeTexts(texts, caller)
  return moved(
    ids,
    ids.map(({ buffer }) => buffer),
  )
}

/** Transfers memory to the main thread instead of copying it. */
function moved(value: object, memory: readonly ArrayBufferLike[]): unknown {
  return move({ [valueSymbol]: value, [transferableSymbol]: memory })
}
