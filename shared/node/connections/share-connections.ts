import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { LogLine } from '../../log/log-line.ts'
import { networkOf } from '../../network/client-network.ts'
import { Seldom } from '../log/seldom.ts'
import type { ConnectionShare, Limit, Standing } from './connection-share.ts'

/** Milliseconds between two lines about the same limit. */
const repeatMs = 60_000

/**
 * Milliseconds in which a client takes the rest of an answer that is written as a whole: the longest page at 100 kbit/s.
 * After that its connection counts as idle, or whoever reads nothing would hold it for ever.
 */
const defaultTakeMs = 30_000

interface SharingParts {
  readonly share: ConnectionShare<Socket>
  readonly standingOf: (address: string) => Standing
  readonly log: (line: LogLine) => void
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Milliseconds in which a client takes the rest of an answer; set by tests. */
  readonly takeMs?: number
}

/**
 * Has a server of `node:http` or `node:https`, which has its listeners already, share its connections among its
 * clients. Refused and closed clients get no explanation, so the log has it, at most once a minute for each limit.
 */
export function shareConnections(server: Server, parts: SharingParts): void {
  const { share, standingOf, takeMs = defaultTakeMs } = parts
  const tell = refusalLog(parts)
  const plainOf = plainSockets(server)
  server.on('connection', (socket: Socket) => {
    const { remoteAddress: address } = socket
    // Its client is gone already.
    if (address === undefined) return
    const peer = { network: networkOf(address), standing: standingOf(address) }
    const { isAdmitted, closed, limit } = share.admit(socket, peer)
    if (limit !== undefined) tell(limit, closed?.remoteAddress ?? address, isAdmitted)
    closed?.destroy()
    if (isAdmitted) socket.once('close', () => share.remove(socket))
    else socket.destroy()
  })
  const begin = ({ socket }: IncomingMessage, outgoing: ServerResponse) => {
    const plain = plainOf(socket)
    share.begin(plain)
    onceTaken(outgoing, takeMs, () => share.end(plain))
  }
  for (const event of ['request', 'checkExpectation']) {
    // Node itself answers an expectation that nobody listens for.
    if (server.listenerCount(event) > 0) server.prependListener(event, begin)
  }
}

/** Calls `then` once an answer is sent, its connection is gone, or its client has had the time to take it. */
function onceTaken(outgoing: ServerResponse, takeMs: number, then: () => void): void {
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const end = () => {
    clearTimeout(timer)
    if (!isOver) then()
    isOver = true
  }
  outgoing.once('close', end)
  outgoing.once('prefinish', () => {
    // Usually the system has taken all of it by now.
    if (outgoing.writableLength > 0 || (outgoing.socket?.writableLength ?? 0) > 0) {
      timer = setTimeout(end, takeMs).unref()
    }
  })
}

function refusalLog({ share, log, now }: SharingParts) {
  const seldom = new Seldom(repeatMs, now)
  return (limit: Limit, address: string, isAdmitted: boolean) => {
    const open =
      limit === 'all' ? `${share.most} are open` : `${share.mostOfOne} of its address are open`
    const message = isAdmitted
      ? `idle connection closed for a new one: ${open}`
      : `connection refused: ${open} already`
    if (seldom.allows(message)) log({ level: 'warn', message, address })
  }
}

/** Finds the socket that a request's connection was accepted as: below TLS there is another one. */
function plainSockets(server: Server): (socket: Socket) => Socket {
  const handshakes = new Map<string, Socket>()
  const plain = new WeakMap<Socket, Socket>()
  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket)
    handshakes.set(name, socket)
    socket.once('close', () => {
      // Another one may have its name by now.
      if (handshakes.get(name) === socket) handshakes.delete(name)
    })
  })
  server.on('secureConnection', (secure: TLSSocket) => {
    const below = handshakes.get(nameOf(secure))
    if (below !== undefined) plain.set(secure, below)
  })
  return (socket) => plain.get(socket) ?? socket
}

function nameOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}
