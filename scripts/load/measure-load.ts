import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from 'undici'
import { runLoad, type Clock, type Schedule } from './run-load.ts'
import { sendRequest, type LoadTarget } from './send-request.ts'
import { summarise, type LoadStatistics } from './statistics.ts'

const realClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
}

/**
 * Runs the load against a server.
 * @param signal ends the run; the measurements until then count
 */
export async function measureLoad(
  target: LoadTarget,
  schedule: Schedule,
  signal: AbortSignal,
): Promise<LoadStatistics> {
  // One listener per request in progress is not the leak that Node would warn about.
  setMaxListeners(schedule.concurrency, signal)
  // The deadline of each request is the only clock.
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 })
  const sender = { target, dispatcher, now: () => realClock.now() }
  try {
    const send = (n: number, dueAtMs: number) => sendRequest(sender, n, dueAtMs, signal)
    return summarise(await runLoad(schedule, send, realClock, signal))
  } finally {
    await dispatcher.destroy()
  }
}
