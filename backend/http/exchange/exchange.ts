import type { HttpBindings } from '@hono/node-server'
import { defaultDeadlineMs } from '../../../shared/api/limits.ts'
import type { AnswerUsage, FinishReason, Timings, Usage } from '../../../shared/api/events.ts'
import { toServiceError, type ErrorCode, type ServiceError } from '../../../shared/api/errors.ts'
import { tenantOfClient, tenantOfKey } from '../../tenant.ts'
import { Phases } from '../../../shared/tracing/phases.ts'
import type { TraceSpan } from '../../../shared/tracing/tracing.ts'
import type { DescribePhase } from '../../describe.ts'
import type { BodyMemory } from '../../../shared/bytes/body-memory.ts'

/** The context type of every Hono handler in the backend. */
export interface BackendEnv {
  Bindings: HttpBindings
  Variables: { exchange: Exchange }
}

/** Facts gathered about a request for its log line. Never text, keys or names of the caller's files. */
interface ExchangeFacts {
  clientName?: string
  keyId?: string
  bytesIn: number
  images?: number
  /** Answers to give; 1 unless it says. */
  choices?: number
  /** The most tokens of an answer, as asked for. */
  maxTokens?: number | undefined
  stream?: boolean
  /** One for each choice. */
  finishReasons?: readonly FinishReason[]
  usage?: Usage & Partial<AnswerUsage>
  timings?: Timings
  errorCode?: ErrorCode
  /** The underlying failure of an `internal` error. */
  cause?: unknown
}

/** The parts of a request's time: it is read, its image URLs are fetched, and then as describe.ts has it. */
export type ExchangePhase = 'read' | 'fetch' | DescribePhase

/** One request and its answer, from the first header to the last byte sent. */
export class Exchange {
  readonly requestId: string
  readonly facts: ExchangeFacts = { bytesIn: 0 }
  readonly phases = new Phases<ExchangePhase>()
  /** Where requests are traced. */
  span: TraceSpan | undefined
  readonly #bodies: BodyMemory
  readonly #controller = new AbortController()
  readonly #endListeners: (() => void)[] = []
  /** By which a later request of its client can cancel it. */
  tag: string | undefined
  #bodyBytes = 0
  #ended = false
  #msToAnswer = () => defaultDeadlineMs

  constructor(requestId: string, bodies: BodyMemory) {
    this.requestId = requestId
    this.#bodies = bodies
  }

  /**
   * Aborted when the client leaves, the deadline passes or the server stops; the reason is the ServiceError to answer
   * with.
   */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /**
   * Milliseconds left for generating. They end a little before the deadline, so that the answer so far can be
   * delivered.
   */
  get msToAnswer(): number {
    return this.#msToAnswer()
  }

  /** The tenant in the queue and the caches: the API key named by the edge, otherwise the client itself. */
  get tenant(): string {
    const { keyId, clientName = '' } = this.facts
    return keyId === undefined ? tenantOfClient(clientName) : tenantOfKey(keyId)
  }

  /** Counts `bytes` more of the body. @throws {ServiceError} `queue_full` when too much is held already */
  receive(bytes: number): void {
    this.facts.bytesIn += bytes
    if (this.#ended) return
    this.#bodies.hold(this.tenant, bytes)
    this.#bodyBytes += bytes
  }

  /** The body is no longer needed. */
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

  /** The error to answer with: after an abort its reason, whatever failed as a consequence. Recorded for the log. */
  noteFailure(thrown: unknown): ServiceError {
    const error = toServiceError(this.signal.aborted ? this.signal.reason : thrown)
    this.facts.errorCode = error.code
    this.facts.cause = error.cause
    return error
  }

  /** The answer is sent, or its reader has left. Only the first call counts. */
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

/** All exchanges in progress, so that a stopping server can wait for them and then end them. */
export class RunningExchanges {
  readonly #running = new Set<Exchange>()
  readonly #bodies: BodyMemory
  #idleListener: (() => void) | undefined
  #closing = false

  constructor(bodies: BodyMemory) {
    this.#bodies = bodies
  }

  /** True once `close` was called: new exchanges are refused. */
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

  /** Aborts the exchanges with this tag. */
  abortTagged(tag: string, error: ServiceError): void {
    for (const exchange of this.#running) if (exchange.tag === tag) exchange.abort(error)
  }

  abortAll(error: ServiceError): void {
    for (const exchange of this.#running) exchange.abort(error)
  }
}
