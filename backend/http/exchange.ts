import type { HttpBindings } from '@hono/node-server'
import { defaultDeadlineMs } from '../../shared/api/limits.ts'
import type { FinishReason, Timings, Usage } from '../../shared/api/events.ts'
import { toServiceError, type ErrorCode, type ServiceError } from '../../shared/api/errors.ts'
import { tenantOfClient, tenantOfKey } from '../tenant.ts'
import type { BodyMemory } from '../../shared/bytes/body-memory.ts'

/** What Hono hands to every handler of the backend. */
export interface BackendEnv {
  Bindings: HttpBindings
  Variables: { exchange: Exchange }
}

/** What is learned about a request on its way, for its log line. Never text, keys or names of the caller's files. */
interface ExchangeFacts {
  clientName?: string
  keyId?: string
  bytesIn: number
  images?: number
  stream?: boolean
  finishReason?: FinishReason
  usage?: Usage
  timings?: Timings
  errorCode?: ErrorCode
  /** What really happened behind an `internal` error. */
  cause?: unknown
}

/** One request and its answer, from the first header to the last byte sent. */
export class Exchange {
  readonly requestId: string
  readonly facts: ExchangeFacts = { bytesIn: 0 }
  readonly #bodies: BodyMemory
  readonly #controller = new AbortController()
  readonly #endListeners: (() => void)[] = []
  /** By which its client may name it later, to cancel it. */
  tag: string | undefined
  #bodyBytes = 0
  #ended = false
  #msToAnswer = () => defaultDeadlineMs

  constructor(requestId: string, bodies: BodyMemory) {
    this.requestId = requestId
    this.#bodies = bodies
  }

  /** Aborted when the client leaves, the deadline passes or the server stops; the reason is the ServiceError to tell. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Milliseconds left for generating; they end a little before the deadline, so that what there is then gets through. */
  get msToAnswer(): number {
    return this.#msToAnswer()
  }

  /** Whom the answer is for, in the queue and in caches: the API key that the edge names, else the client itself. */
  get tenant(): string {
    const { keyId, clientName = '' } = this.facts
    return keyId === undefined ? tenantOfClient(clientName) : tenantOfKey(keyId)
  }

  /** `bytes` more of the body have come. @throws {ServiceError} `queue_full` when too much is held already */
  receive(bytes: number): void {
    this.facts.bytesIn += bytes
    if (this.#ended) return
    this.#bodies.hold(this.tenant, bytes)
    this.#bodyBytes += bytes
  }

  /** The body is not needed any more. */
  releaseBody(): void {
    if (this.#bodyBytes === 0) return
    this.#bodies.release(this.tenant, this.#bodyBytes)
    this.#bodyBytes = 0
  }

  limitAnswer(msToAnswer: () => number): void {
    this.#msToAnswer = msToAnswer
  }

  abort(error: ServiceError): void {
    if (!this.#ended) this.#controller.abort(error)
  }

  /** What to tell about a failure: after an abort its reason, whatever went wrong in consequence. Noted for the log. */
  noteFailure(thrown: unknown): ServiceError {
    const error = toServiceError(this.signal.aborted ? this.signal.reason : thrown)
    this.facts.errorCode = error.code
    this.facts.cause = error.cause
    return error
  }

  /** The answer is sent, or nobody is left to read it. Only the first call counts. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.releaseBody()
    for (const listener of this.#endListeners) listener()
  }

  onEnd(listener: () => void): void {
    this.#endListeners.push(listener)
  }
}

/** All exchanges that have not ended, so that a stopping server can wait for them, then end them. */
export class RunningExchanges {
  readonly #running = new Set<Exchange>()
  readonly #bodies: BodyMemory
  #idleListener: (() => void) | undefined
  #closing = false

  constructor(bodies: BodyMemory) {
    this.#bodies = bodies
  }

  /** True once `close` was called: whoever comes now is turned away. */
  get closing(): boolean {
    return this.#closing
  }

  open(requestId: string): Exchange {
    const exchange = new Exchange(requestId, this.#bodies)
    this.#running.add(exchange)
    exchange.onEnd(() => {
      this.#running.delete(exchange)
      if (this.#running.size === 0) this.#idleListener?.()
    })
    return exchange
  }

  /** Refuses new exchanges from now on. @returns when the last running one has ended */
  close(): Promise<void> {
    this.#closing = true
    return new Promise((resolve) => {
      this.#idleListener = resolve
      if (this.#running.size === 0) resolve()
    })
  }

  /** Ends what its client has named so. */
  abortTagged(tag: string, error: ServiceError): void {
    for (const exchange of this.#running) if (exchange.tag === tag) exchange.abort(error)
  }

  abortAll(error: ServiceError): void {
    for (const exchange of this.#running) exchange.abort(error)
  }
}
