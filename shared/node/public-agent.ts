import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { Agent, buildConnector, fetch } from 'undici'
import type { Transport } from '../fetch/fetch-image.ts'
import { addressAllowed } from '../fetch/ip-ranges.ts'

/**
 * A name or a connection led to an address that must not be reached. From outside it looks like any network failure.
 */
class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError'
}

/** Resolves a host name to addresses, in the order they should be tried. */
export type Resolve = (hostname: string) => Promise<readonly string[]>

interface PublicTransportOptions {
  readonly resolve?: Resolve
  /** Opens a connection; `hostname` is always a checked address. */
  readonly connect?: buildConnector.connector
}

/** Milliseconds for one address; the deadline of the whole fetch leaves room for another attempt. */
const connectTimeoutMs = 3_000

/** Addresses tried per name: enough for one dead path (often IPv6) and a spare. */
const maxAddresses = 3

/**
 * HTTP exchanges that reach public addresses only. A name is resolved once, all its addresses are judged, and the
 * connection goes to one of exactly those addresses, so that a second lookup cannot lead elsewhere.
 */
export function createPublicTransport(options: PublicTransportOptions = {}): {
  readonly transport: Transport
  readonly close: () => Promise<void>
} {
  const connect = options.connect ?? buildConnector({ timeout: connectTimeoutMs })
  const agent = new Agent({
    connect: pinnedConnector(options.resolve ?? resolveWithSystem, connect),
    // One connection per exchange: none stays open to strangers, and each is judged anew.
    pipelining: 0,
  })
  return {
    transport: (url, init) => fetch(url, { ...init, dispatcher: agent }),
    close: () => agent.destroy(),
  }
}

async function resolveWithSystem(hostname: string): Promise<string[]> {
  const answers = await lookup(hostname, { all: true, order: 'verbatim' })
  return answers.map((answer) => answer.address)
}

function pinnedConnector(
  resolve: Resolve,
  connect: buildConnector.connector,
): buildConnector.connector {
  return (target, callback) => {
    void openPinned(resolve, connect, target).then(callbackWith, (error: unknown) =>
      // oxlint-disable-next-line promise/no-callback-in-promise -- undici's connectors report this way
      callback(error as Error, null),
    )
    function callbackWith(socket: Socket): void {
      callback(null, socket)
    }
  }
}

async function openPinned(
  resolve: Resolve,
  connect: buildConnector.connector,
  target: buildConnector.Options,
): Promise<Socket> {
  // An IP literal is never resolved. checkUrl has judged it, and it is judged again here.
  const isLiteral = isIP(target.hostname) !== 0
  const addresses = isLiteral ? [target.hostname] : await resolve(target.hostname)
  if (addresses.length === 0) throw new Error('The name has no address')
  if (!addresses.every(addressAllowed)) throw new AddressRefusedError('A refused address was given')
  const servername = isLiteral ? undefined : target.hostname.replace(/\.$/, '')
  let failure: unknown
  for (const address of addresses.slice(0, maxAddresses)) {
    try {
      return await openSocket(connect, {
        ...target,
        hostname: address,
        ...(servername !== undefined && { servername }),
      })
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

type Socket = NonNullable<Parameters<buildConnector.Callback>[1]>

function openSocket(
  connect: buildConnector.connector,
  target: buildConnector.Options,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    connect(target, (error, socket) => {
      if (error !== null || socket === null) return reject(error ?? new Error('No connection'))
      // A second line of defence: whatever happened below, this is where the bytes would go.
      if (socket.remoteAddress === undefined || !addressAllowed(socket.remoteAddress)) {
        socket.destroy()
        return reject(new AddressRefusedError('A refused address was connected'))
      }
      resolve(socket)
    })
  })
}
