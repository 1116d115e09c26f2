/** Entry of a thread that sends its picture as often at once as each message says. */
import { parentPort, workerData } from 'node:worker_threads'
import { ask, type Asking } from './ask.ts'

parentPort!.on('message', (count: number) => void send(count))

async function send(count: number): Promise<void> {
  const sent = Array.from({ length: count }, () => ask(workerData as Asking))
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, which has no origin
  parentPort!.postMessage(await Promise.all(sent))
}
