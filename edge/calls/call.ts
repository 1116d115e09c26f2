import type { ServiceError } from '../../shared/api/errors.ts'
import type { Usage } from '../../shared/api/events.ts'
import type { EdgeRouteName } from '../../shared/api/routes.ts'
import type { KeyIdentity } from '../keys/key-record.ts'
import type { Settlement, Standing } from '../limits/meter.ts'

/** How a call's run ended, for its log line. */
export interface CallOutcome {
  readonly ending: Settlement['ending']
  readonly usage: Usage | undefined
  readonly images: number
  /** Of the answer's body. */
  readonly bytes: number
  /** Of an error that a stream told after its headers. */
  readonly errorCode: string | undefined
}

/** What a request holds of this process's memory; all of it is given back at once. */
interface HeldBytes {
  /** More is about to be held. @throws {ServiceError} `queue_full` */
  hold(bytes: number): void
  /** Its limits are about to be judged: from now on its key's meter counts it. */
  judged(): void
}

interface Arrival {
  readonly requestId: string
  /** Milliseconds, by the platform's clock. */
  readonly arrivedAt: number
  /** The client's own, behind proxies too; undefined where it cannot be known. */
  readonly address: string | undefined
  /** Asked for late: making one takes time. */
  readonly clientSignal: () => AbortSignal
}

/** One request, and all that is known of it from its arrival to the end of its answer. */
export class Call {
  readonly requestId: string
  readonly arrivedAt: number
  readonly address: string | undefined
  readonly #clientSignal: () => AbortSignal
  #signal: AbortSignal | undefined
  /** Undefined for a path that does not exist. */
  route: EdgeRouteName | undefined
  /** Whose it is; never the key itself. */
  key: KeyIdentity | undefined
  /** The whole body, when it had to be read before its route does. */
  heldBody: Uint8Array | undefined
  held: HeldBytes | undefined
  /** Where the key stands with its limits. */
  standings: readonly Standing[] = []
  /** When the key's limits had room, and when the backend's answer began; by the platform's clock. */
  admittedAt: number | undefined
  answeredAt: number | undefined
  backendId: string | undefined
  /** Resolves when the answer has ended, in whatever way; undefined where no backend was asked. */
  outcome: Promise<CallOutcome> | undefined
  /** The error that was answered. */
  failure: ServiceError | undefined

  constructor({ requestId, arrivedAt, address, clientSignal }: Arrival) {
    this.requestId = requestId
    this.arrivedAt = arrivedAt
    this.address = address
    this.#clientSignal = clientSignal
  }

  /** Aborted when the client leaves; never, when the run goes on without it. */
  get signal(): AbortSignal {
    this.#signal ??= this.#clientSignal()
    return this.#signal
  }

  /** From now on the client's leaving ends nothing: the answer is kept for its return. */
  outliveClient(): void {
    this.#signal = new AbortController().signal
  }
}

/** The time that is left of a call's deadline, in milliseconds; 1 when it has passed. */
export function timeLeft(
  { arrivedAt }: Pick<Call, 'arrivedAt'>,
  { deadlineMs, now }: { readonly deadlineMs: number; readonly now: () => number },
): number {
  return Math.max(1, deadlineMs - (now() - arrivedAt))
}
