import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Milliseconds a client may continue to send a body after its answer. Many clients read the answer only after sending
 * everything; closing the connection earlier would reset it and lose the answer.
 */
const drainMs = 10_000

/**
 * Reads and discards the rest of an upload once its answer is sent, so that the connection can serve its next
 * request. A client that does not finish is disconnected.
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
