import { Agent, buildConnector, type Dispatcher } from 'undici'
import type { TlsIdentity } from '../../shared/node/certificates/watch-identity.ts'
import { backendId } from '../backends/backend-urls.ts'
import type { BackendAnswer } from '../backends/exchange.ts'
import { NotConnectedError, type BackendTarget } from '../backends/target.ts'
import { toWebStream } from './web-stream.ts'

/** Milliseconds for connection and handshake: a burst of a hundred handshakes takes a second on two busy cores. */
const connectTimeoutMs = 3_000

/** Milliseconds without a byte inside an answer; streams carry a heartbeat every 10 s. */
const bodyTimeoutMs = 60_000

/** Calls backends with the edge's certificate and trusts only certificates of the given CA. */
export class BackendClient {
  #agent: Agent
  readonly #maxConnections: number

  /** @param maxConnections to each backend; further requests wait for a free one */
  constructor(identity: TlsIdentity, maxConnections: number) {
    this.#maxConnections = maxConnections
    this.#agent = createAgent(identity, maxConnections)
  }

  /** New connections use the new certificate; requests on old ones finish there. */
  renew(identity: TlsIdentity): void {
    const old = this.#agent
    this.#agent = createAgent(identity, this.#maxConnections)
    old.close().catch(() => undefined)
  }

  /** @param url of the backend, of which only the origin is used */
  target(url: string): BackendTarget {
    const { origin } = new URL(url)
    return {
      id: backendId(url),
      send: async (path, { method, headers, body, signal }) => {
        const response = await this.#agent.request({
          origin,
          path,
          method,
          headers,
          body: (body ?? null) as Dispatcher.RequestOptions['body'] & object,
          signal,
        })
        return answerOf(response)
      },
    }
  }
}

function createAgent({ ca, cert, key }: TlsIdentity, connections: number): Agent {
  const connect = buildConnector({
    ca,
    cert,
    key,
    minVersion: 'TLSv1.2',
    timeout: connectTimeoutMs,
  })
  return new Agent({
    connections,
    connect: (target, callback) =>
      connect(target, (error, socket) => {
        if (error === null) callback(null, socket)
        else callback(notConnected(error), null)
      }),
    // A complete answer's headers come after its last token; the request's deadline limits that.
    headersTimeout: 0,
    bodyTimeout: bodyTimeoutMs,
  })
}

function notConnected(cause: Error & { readonly code?: string }): NotConnectedError {
  const isSlow = cause.code === 'UND_ERR_CONNECT_TIMEOUT'
  return new NotConnectedError('No connection', { cause, isSlow })
}

/** Avoids the web's Response and Headers, which take longer to make than everything else. */
function answerOf({ statusCode, headers, body }: Dispatcher.ResponseData): BackendAnswer {
  let stream: ReadableStream<Uint8Array> | undefined
  return {
    status: statusCode,
    headers: {
      get(name) {
        const value = headers[name]
        return (Array.isArray(value) ? value.join(', ') : value) ?? null
      },
    },
    get body() {
      stream ??= toWebStream(body)
      return stream
    },
    arrayBuffer: () => body.arrayBuffer(),
  }
}
