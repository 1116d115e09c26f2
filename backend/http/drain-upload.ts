import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Milliseconds a client may go on sending a body after its answer. Many read the answer only once they have sent all;
 * cutting the connection under them would reset it, and the answer would be lost with it.
 */
const drainMs = 10_000

/**
 * Reads and drops what is left of an upload once its answer is sent: the connection then serves its next request. A
 * client that does not come to an end is cut off.
 */
export function drainUpload(incoming: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.once('finish', () => {
    if (incoming.complete) return
    const timer = setTimeout(() => incoming.socket.destroySoon(), drainMs)
    const stop = () => clearTimeout(timer)
    incoming.once('end', stop).once('close', stop).once('error', stop)
    incoming.resume()
  })
}
