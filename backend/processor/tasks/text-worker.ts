/** Entry file of a thread that encodes text. */
import { workerData } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { concatenateIds } from '../text/concatenate-ids.ts'
import { createLocalTasks } from './processor-tasks.ts'

const tasks = createLocalTasks((workerData as { modelFolder: string }).modelFolder)
/** Within a worker nothing waits for other tenants, and nothing is aborted. */
const caller = { tenant: '', signal: new AbortController().signal }

export default async function encodeTexts(texts: readonly string[]): Promise<unknown> {
  const encoded = await tasks.encodeTexts(texts, caller)
  const ids = concatenateIds(encoded)
  return moved(inPieces(ids, encoded), [ids.buffer])
}

/** Pieces as long as those given, within one memory: to move thousands of memories takes longer than to encode them. */
function inPieces(whole: Int32Array, like: readonly Int32Array[]): Int32Array[] {
  let end = 0
  return like.map(({ length }) => whole.subarray(end, (end += length)))
}

/** Transfers memory to the main thread instead of copying it. */
function moved(value: object, memory: readonly ArrayBufferLike[]): unknown {
  return move({ [valueSymbol]: value, [transferableSymbol]: memory })
}
