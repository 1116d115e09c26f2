import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener, RequestError } from '@hono/node-server'
import { errorBody, errorResponse, ServiceError, toServiceError } from '../../shared/api/errors.ts'
import { requestIdFrom, requestIdHeader } from '../../shared/api/wire/request-id.ts'
import type { LogLine } from '../../shared/log/log-line.ts'
import type { RequestLine } from '../../shared/log/request-line.ts'

/** Milliseconds within which a request's headers must arrive: no client needs long for them. */
const headersTimeoutMs = 10_000

interface App {
  readonly fetch: Parameters<typeof getRequestListener>[0]
}

/**
 * An HTTP server for the app that gives no answers except the app's and those in the same form, even for a Host
 * header or a target that does not form a URL, which never reaches the app.
 */
export function createHttpServer(
  { fetch }: App,
  log: (line: LogLine) => void,
  options: ServerOptions = {},
): Server {
  const errorHandler = (cause: unknown): Response => {
    const requestId = requestIdFrom(undefined)
    const error = cause instanceof RequestError ? refusalOf(undefined) : toServiceError(cause)
    log(lineOf(error, requestId, undefined))
    return errorResponse(error, requestId)
  }
  const answer = getRequestListener(fetch, { errorHandler })
  const listener: RequestListener = (incoming, outgoing) => {
    if (namesSeveralHosts(incoming)) refuseHosts(incoming, outgoing, log)
    else void answer(incoming, outgoing)
  }
  const settings = { headersTimeout: headersTimeoutMs, ...options, requireHostHeader: false }
  const server = createServer(settings, listener)
  // An unknown expectation is answered normally, as RFC 9110 allows.
  server.on('checkExpectation', listener)
  answerMalformed(server, log)
  return server
}

/**
 * Answers what Node's HTTP parser rejects, and what did not arrive in time, in the form of all other errors. Such
 * requests never reach the app.
 */
function answerMalformed(server: Server, log: (line: LogLine) => void): void {
  const latest = new WeakMap<Duplex, Exchange>()
  server.on('request', (incoming, outgoing) => latest.set(incoming.socket, { incoming, outgoing }))
  server.on('clientError', (cause: NodeJS.ErrnoException, socket) => {
    const { incoming, outgoing } = latest.get(socket) ?? {}
    const hasBegun = outgoing?.headersSent === true
    // In the middle of an answer, a second one would be mistaken for the rest of it.
    const midAnswer = hasBegun && !outgoing.writableEnded
    if (cause.code === 'ECONNRESET' || !socket.writable || midAnswer) return void socket.destroy()
    // The rest of a body whose request was answered early.
    if (hasBegun && incoming?.complete === false) return void socket.end(() => socket.destroy())
    const requestId = requestIdFrom(undefined)
    const error = refusalOf(cause.code)
    log(lineOf(error, requestId, (socket as Socket).remoteAddress))
    socket.end(rawAnswer(error, requestId), () => socket.destroy())
  })
}

interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

/** Proxies and servers may each trust a different one of them (RFC 9112, section 3.2). */
function namesSeveralHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]!.toLowerCase() === 'host') hosts += 1
  }
  return hosts > 1
}

function refuseHosts(
  { socket }: IncomingMessage,
  outgoing: ServerResponse,
  log: (line: LogLine) => void,
): void {
  const requestId = requestIdFrom(undefined)
  const error = new ServiceError('malformed_request', 'The request has more than one Host header')
  log(lineOf(error, requestId, socket.remoteAddress))
  const body = bodyOf(error, requestId)
  outgoing.writeHead(error.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
    [requestIdHeader]: requestId,
  })
  outgoing.end(body)
}

function lineOf(error: ServiceError, requestId: string, address: string | undefined): RequestLine {
  return {
    level: error.status >= 500 ? 'error' : 'info',
    message: 'request',
    request_id: requestId,
    route: null,
    key_id: null,
    address: address ?? null,
    status: error.status,
    code: error.code,
    ms: 0,
  }
}

function refusalOf(code: string | undefined): ServiceError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new ServiceError('headers_too_large', 'The headers are too large')
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new ServiceError('request_timeout', 'The request did not arrive in time')
  }
  return new ServiceError('malformed_request', 'The request is not valid HTTP')
}

/** The same text as in `jsonAnswer`. */
function bodyOf(error: ServiceError, requestId: string): string {
  return `${JSON.stringify(errorBody(error, requestId))}\n`
}

function rawAnswer(error: ServiceError, requestId: string): string {
  const body = bodyOf(error, requestId)
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `${requestIdHeader}: ${requestId}`,
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}
