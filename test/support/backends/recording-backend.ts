import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { CertificateSet } from '../../../shared/node/certificates/create-certificates.ts'

/** What a backend saw of one request. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  /** Common name of the client's certificate. */
  readonly client: string
  /** Resolves when the body has arrived completely. */
  readonly body: Promise<Buffer>
  readonly bodySha256: Promise<string>
  /** Resolves when the exchange is over: true if it was answered completely, false if it broke off. */
  readonly over: Promise<boolean>
}

type Answer = (seen: SeenRequest, response: ServerResponse) => void | Promise<void>

/** A backend that requires a client certificate, records what it saw and answers as the test specifies. */
export class RecordingBackend {
  readonly seen: SeenRequest[] = []
  answer: Answer = answerJson(200, { output: 'A red circle.' })
  readonly #server: Server
  #onSeen: (() => void) | undefined

  private constructor({ ca, server, serverKey }: CertificateSet) {
    this.#server = createServer(
      { ca, cert: server, key: serverKey, requestCert: true, rejectUnauthorized: true },
      (request, response) => void this.#handle(request, response),
    )
  }

  static async start(certificates: CertificateSet): Promise<RecordingBackend> {
    const stub = new RecordingBackend(certificates)
    stub.#server.listen(0, '127.0.0.1')
    await once(stub.#server, 'listening')
    return stub
  }

  get url(): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}`
  }

  /** The last request; waits for the first one if there is none yet. */
  async lastSeen(): Promise<SeenRequest> {
    while (this.seen.length === 0) {
      await new Promise<void>((resolve) => {
        this.#onSeen = resolve
      })
    }
    return this.seen.at(-1)!
  }

  reset(): void {
    this.seen.length = 0
    this.answer = answerJson(200, { output: 'A red circle.' })
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = readAll(request)
    body.catch(() => {})
    const seen: SeenRequest = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      client: (request.socket as TLSSocket).getPeerCertificate().subject.CN as string,
      body,
      bodySha256: body.then((bytes) => createHash('sha256').update(bytes).digest('hex')),
      over: new Promise((resolve) => {
        response.on('close', () => resolve(response.writableFinished))
      }),
    }
    seen.bodySha256.catch(() => {})
    this.seen.push(seen)
    this.#onSeen?.()
    await this.answer(seen, response)
  }
}

/** Answers once the request's body has arrived. */
export function answerJson(
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): Answer {
  return async (seen, response) => {
    await seen.body.catch(() => undefined)
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(value))
  }
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
