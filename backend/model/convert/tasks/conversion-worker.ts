/** A thread that does tasks of a conversion. */
import { parentPort, workerData } from 'node:worker_threads'
import type { ConversionTask } from './conversion-task.ts'
import { Converter } from './converter.ts'
import { openModelSource } from '../source/model-source.ts'
import type { FromWorker, WorkerInit } from './worker-protocol.ts'

const { checkpointDir, options, folder } = workerData as WorkerInit
const port = parentPort!
/** The main thread ends this one instead of asking it to stop. */
const { signal } = new AbortController()
const send = (message: FromWorker) => port.postMessage(message)

async function work(converter: Converter, task: ConversionTask): Promise<void> {
  try {
    for await (const event of converter.run(task, signal)) send({ type: 'event', event })
    send({ type: 'idle' })
  } catch (error) {
    send({ type: 'failed', problem: (error as Error).message })
  }
}

try {
  const source = await openModelSource(checkpointDir)
  const converter = new Converter(source, options, folder)
  port.on('message', (task: ConversionTask) => void work(converter, task))
  send({ type: 'idle' })
} catch (error) {
  send({ type: 'failed', problem: (error as Error).message })
}
