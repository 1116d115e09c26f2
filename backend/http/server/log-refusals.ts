import type { Server } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Log } from '../../../shared/node/log/log.ts'
import { Seldom } from '../../../shared/node/log/seldom.ts'

/** Milliseconds between two lines about the same problem from the same address. */
const repeatMs = 60_000

/** Explanations, by OpenSSL's code, for operators. All other problems of a chain mean a different authority. */
const certificateProblems: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  INVALID_PURPOSE: 'its certificate is not one of a client',
}
const anotherAuthority = 'its certificate is not signed by TLS_CA'

const handshakeProblems: Readonly<Record<string, string>> = {
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'it has no certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'it does not believe our certificate: its TLS_CA did not sign it',
}

/**
 * Logs, at most once a minute per address, why clients do not get as far as a request: certificates rejected by
 * either side. Other failed handshakes are the network's.
 * @param now milliseconds of a monotonic clock
 */
export function logRefusals(server: Server, log: Log, now: () => number): void {
  const pending = new PendingHandshakes(server)
  const seldom = new Seldom(repeatMs, now)
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    const address = pending.addressOf(socket)
    const problem = problemOf(error, socket)
    if (problem === undefined || !seldom.allows(`${address} ${problem}`)) return
    log.warn({ address: address ?? null }, `client refused: ${problem}`)
  })
}

function problemOf(error: NodeJS.ErrnoException, socket: TLSSocket): string | undefined {
  // Typed as an error, but in fact the code of the problem with the chain.
  const chain = socket.authorizationError as unknown as string | null
  if (chain !== null && chain !== undefined) return certificateProblems[chain] ?? anotherAuthority
  return handshakeProblems[error.code ?? '']
}

/** Connections during their handshake: a TLS socket that was rejected no longer knows its remote address. */
class PendingHandshakes {
  readonly #sockets = new Map<string, Socket>()

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      const name = nameOf(socket)
      this.#sockets.set(name, socket)
      // The refusal asks for it within the same turn of the event loop.
      socket.once('close', () => setImmediate(() => this.#sockets.delete(name)))
    })
    server.on('secureConnection', (socket) => this.#sockets.delete(nameOf(socket)))
  }

  addressOf(refused: TLSSocket): string | undefined {
    if (refused.remoteAddress !== undefined) return refused.remoteAddress
    const [ended] = [...this.#sockets].filter(([, { destroyed }]) => destroyed)
    if (ended === undefined) return undefined
    this.#sockets.delete(ended[0])
    return ended[1].remoteAddress
  }
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
