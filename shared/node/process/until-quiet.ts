import type { ServerResponse } from 'node:http'
import { Server } from 'node:net'
import { setImmediate as afterReading, setTimeout as delay } from 'node:timers/promises'

/**
 * Milliseconds without a request after which a stopping server closes its connections. Until then clients are still
 * informed that it is stopping: closing a connection just as a request is sent on it would lose that request, and an
 * informed client sends none.
 */
const quietMs = 300

/** Milliseconds after which connections are closed even if their clients go on asking: each may once, on a busy machine. */
const mostMs = 10_000

/** Looks at the sockets in between. */
const looks = 10

/** From now on each answer is the last one on its connection, so that clients do not send a request on a dying one. */
export function closeAfterAnswers(server: Server): void {
  server.prependListener('request', (_incoming: unknown, outgoing: ServerResponse) => {
    outgoing.shouldKeepAlive = false
  })
}

/**
 * Refuses new connections, which shows their clients for certain that nothing was sent, and resolves once no request
 * has come on those there are for a while, nobody is connected any more, or `signal` aborts.
 * @param server of `node:http` or `node:https`
 */
export async function untilQuiet(server: Server, signal?: AbortSignal): Promise<void> {
  // The server's own close() would close idle connections too, just as a request may be sent on one.
  Server.prototype.close.call(server)
  const until = performance.now() + mostMs
  let wasUsed = false
  const note = () => (wasUsed = true)
  for (const event of signsOfUse) server.on(event, note)
  // Not one long timer: a process that was not run for long would find it over before it reads what has arrived.
  const isOver = () => signal?.aborted === true || performance.now() >= until
  for (let quiet = 0; quiet < looks && !isOver();) {
    await delay(quietMs / looks)
    await afterReading()
    quiet = wasUsed ? 0 : quiet + 1
    wasUsed = false
    if (!(await hasConnections(server))) break
  }
  for (const event of signsOfUse) server.off(event, note)
}

/** A connection that has just been made carries a request soon. */
const signsOfUse = ['connection', 'secureConnection', 'request'] as const

function hasConnections(server: Server): Promise<boolean> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count > 0)))
}
