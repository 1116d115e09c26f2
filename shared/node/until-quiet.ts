import type { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setImmediate as afterReading, setTimeout as delay } from 'node:timers/promises'

/**
 * Milliseconds without a request after which a stopping server closes its connections. Until then clients are still
 * informed that it is stopping: closing a connection just as a request is sent on it would lose that request, and an
 * informed client sends none.
 */
const quietMs = 300

/** Milliseconds after which connections are closed even if a client goes on asking. */
const mostMs = 3_000

/** Looks at the sockets in between. */
const looks = 10

/** A server of `node:http` or `node:https`. */
export interface StoppingServer extends EventEmitter {
  getConnections(callback: (error: Error | null, count: number) => void): unknown
}

/** From now on each answer is the last one on its connection, so that clients do not send a request on a dying one. */
export function closeAfterAnswers(server: StoppingServer): void {
  server.prependListener('request', (_incoming: unknown, outgoing: ServerResponse) => {
    outgoing.shouldKeepAlive = false
  })
}

/** Resolves once no request has come for a while, nobody is connected any more, or `signal` aborts. */
export async function untilQuiet(server: StoppingServer, signal?: AbortSignal): Promise<void> {
  const until = performance.now() + mostMs
  let wasAsked = false
  const note = () => (wasAsked = true)
  server.on('request', note)
  // Not one long timer: a process that was not run for long would find it over before it reads what has arrived.
  const isOver = () => signal?.aborted === true || performance.now() >= until
  for (let quiet = 0; quiet < looks && !isOver();) {
    await delay(quietMs / looks)
    await afterReading()
    quiet = wasAsked ? 0 : quiet + 1
    wasAsked = false
    if (!(await hasConnections(server))) break
  }
  server.off('request', note)
}

function hasConnections(server: StoppingServer): Promise<boolean> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count > 0)))
}
