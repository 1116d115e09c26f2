import { STATUS_CODES, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { errorBody, ServiceError } from '../../shared/api/errors.ts'
import { requestIdFrom, requestIdHeader } from '../../shared/api/request-id.ts'
import type { LogLine } from '../platform.ts'

/**
 * Answers what Node's HTTP parser refuses, and what did not arrive in time, in the form of all other errors. The app
 * never sees such requests.
 */
export function answerMalformed(server: Server, log: (line: LogLine) => void): void {
  const latest = new WeakMap<Duplex, ServerResponse>()
  server.on('request', (incoming, outgoing) => latest.set(incoming.socket, outgoing))
  server.on('clientError', (cause: NodeJS.ErrnoException, socket) => {
    const outgoing = latest.get(socket)
    // In the middle of an answer another one would only be taken for its rest.
    const midAnswer = outgoing?.headersSent === true && !outgoing.writableFinished
    if (cause.code === 'ECONNRESET' || !socket.writable || midAnswer) return void socket.destroy()
    const requestId = requestIdFrom(undefined)
    const error = refusalOf(cause.code)
    log({
      level: 'info',
      message: 'request',
      request_id: requestId,
      route: 'unknown',
      status: error.status,
      error: error.code,
    })
    socket.end(rawAnswer(error, requestId), () => socket.destroy())
  })
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

function rawAnswer(error: ServiceError, requestId: string): string {
  const body = JSON.stringify(errorBody(error, requestId))
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `${requestIdHeader}: ${requestId}`,
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}
