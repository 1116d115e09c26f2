import type { ServiceError } from '../../shared/api/errors.ts'
import type { Usage } from '../../shared/api/events.ts'
import type { EdgeRouteName } from '../../shared/api/routes.ts'
import { Phases } from '../../shared/tracing/phases.ts'
import type { TraceSpan } from '../../shared/tracing/tracing.ts'
import type { HeldAnswer } from '../backends/exchange.ts'
import type { KeyIdentity } from '../keys/key-record.ts'
import type { Settlement, Standing } from '../limits/meter.ts'

/** How a call ended, for its log line. */
export interface CallOutcome {
  readonly ending: Settlement['ending']
  readonly usage: Usage | undefined
  readonly images: number
  /** Bytes of the answer's body. */
  readonly bytes: number
  /** Code of an error that a stream reported after its headers. */
  readonly errorCode: string | undefined
}

/** This process's memory held by one request. */
interface HeldBytes {
  /** Counts bytes about to be held, until an answer begins. @throws {ServiceError} `queue_full` */
  hold(bytes: number): void
  /** Begins to count an answer, which may be held longer than the request. */
  answer(): HeldAnswer
  /** Called before its limits are checked: from then on its key's meter counts it. */
  judged(): void
}

/**
 * The parts of a call's time: its key is checked, its body read, its limits reserved, its image URLs fetched; then the
 * backend is waited for, and its answer relayed.
 */
export type CallPhase = 'authenticate' | 'read' | 'reserve' | 'fetch' | 'backend' | 'relay'

interface Arrival {
  readonly requestId: string
  /** Milliseconds, by the platform's clock. */
  readonly arrivedAt: number
  /** The client's own address, even behind proxies; undefined when unknown. */
  readonly address: string | undefined
  /** Created on demand, because that takes time. */
  readonly clientSignal: () => AbortSignal
}

/** One request, and everything known about it from its arrival to the end of its answer. */
export class Call {
  readonly requestId: string
  readonly arrivedAt: number
  readonly address: string | undefined
  readonly #clientSignal: () => AbortSignal
  #signal: AbortSignal | undefined
  /** Undefined for a path that does not exist. */
  route: EdgeRouteName | undefined
  /** The key's identity; never the key itself. */
  key: KeyIdentity | undefined
  /** The whole body, when it had to be read before the route reads it. */
  heldBody: Uint8Array | undefined
  held: HeldBytes | undefined
  /** The state of the key's limits. */
  standings: readonly Standing[] = []
  /** When the limits admitted it, and when the backend's answer began; by the platform's clock. */
  admittedAt: number | undefined
  answeredAt: number | undefined
  backendId: string | undefined
  readonly phases = new Phases<CallPhase>()
  /** Its span, and that of its call of the backend, where calls are traced. */
  span: TraceSpan | undefined
  forwardSpan: TraceSpan | undefined
  /** Resolves when the answer has ended in any way; undefined if no backend was called. */
  outcome: Promise<CallOutcome> | undefined
  /** The error that was answered. */
  failure: ServiceError | undefined

  constructor({ requestId, arrivedAt, address, clientSignal }: Arrival) {
    this.requestId = requestId
    this.arrivedAt = arrivedAt
    this.address = address
    this.#clientSignal = clientSignal
  }

  /** Aborted when the client leaves, unless the call continues without it. */
  get signal(): AbortSignal {
    this.#signal ??= this.#clientSignal()
    return this.#signal
  }

  /** From now on the call continues even if the client leaves: the answer is kept for its return. */
  outliveClient(): void {
    this.#signal = new AbortController().signal
  }
}

/** The rest of a call's deadline in milliseconds; 1 when it has passed. */
export function timeLeft(
  { arrivedAt }: Pick<Call, 'arrivedAt'>,
  { deadlineMs, now }: { readonly deadlineMs: number; readonly now: () => number },
): number {
  return Math.max(1, deadlineMs - (now() - arrivedAt))
}
