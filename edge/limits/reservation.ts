import { ServiceError } from '../../shared/api/errors.ts'
import type { KeyIdentity } from '../keys/key-record.ts'
import { hasClearRoom } from './clear-room.ts'
import { refusalError, standingsAfter } from './limit-headers.ts'
import {
  type Amounts,
  type Decision,
  type Demand,
  type Grant,
  type Meter,
  type Settlement,
  type Standing,
  tokensOf,
  unitOf,
} from './meter.ts'

/** Milliseconds beyond its deadline after which an unsettled call counts as crashed. */
const leaseGraceMs = 30_000

/** Milliseconds before each further attempt to settle; a settlement that arrives twice is counted once. */
const retryMs = [100, 1_000]

/** The most a call may use, if its key has a limit. */
export type Granted = Partial<Amounts>

interface Admission {
  /** The state of the key's limits, including the call. */
  readonly standings: readonly Standing[]
  /** The error if the call must not run; undefined when it may. */
  readonly refusal: ServiceError | undefined
}

interface ReservationParts {
  readonly meter: Pick<Meter, 'reserve' | 'settle'>
  readonly key: KeyIdentity
  /** Milliseconds the call may take. */
  readonly deadlineMs: number
}

/**
 * What one call of a key reserves until it is settled. A call of a key with limits waits for both steps; without
 * limits it waits for neither and is only counted.
 */
export class Reservation {
  readonly #parts: ReservationParts
  readonly #callId = crypto.randomUUID()
  readonly #isLimited: boolean
  #reserved: Promise<Decision> | undefined
  /** What a key with limits was granted. */
  #grant: Grant | undefined

  constructor(parts: ReservationParts) {
    this.#parts = parts
    this.#isLimited = Object.keys(parts.key.limits).length > 0
  }

  /** @throws {ServiceError} `limits_unavailable` when the limits of a key cannot be checked */
  async admit(demand: Demand): Promise<Admission> {
    const { meter, key, deadlineMs } = this.#parts
    this.#reserved = meter.reserve(key.id, {
      callId: this.#callId,
      limits: key.limits,
      demand,
      leaseMs: deadlineMs + leaseGraceMs,
    })
    if (!this.#isLimited) {
      this.#reserved.catch(() => undefined)
      return { standings: [], refusal: undefined }
    }
    const decision = await this.#reserved.catch((cause: unknown) => {
      throw new ServiceError('limits_unavailable', 'Limits cannot be checked now', { cause })
    })
    const { standings } = decision
    if (!decision.granted) return { standings, refusal: refusalError(decision.refusal) }
    this.#grant = decision
    return { standings, refusal: undefined }
  }

  /** Sent along with the call. */
  get granted(): Granted {
    const grant = this.#grant
    if (grant === undefined) return {}
    const limited = new Set(grant.standings.map(({ name }) => unitOf[name]))
    const { tokens, images } = grant.reserved
    return {
      ...(limited.has('tokens') && { tokens }),
      ...(limited.has('images') && { images }),
    }
  }

  /** Whether the next call of the key may depend on this one's settlement, so that the answer's end waits for it. */
  get isTight(): boolean {
    return this.#grant !== undefined && !hasClearRoom(this.#grant)
  }

  /** The state of the key's limits once this is settled. */
  standingsAfter({ usage, images, ms }: Settled): readonly Standing[] {
    if (this.#grant === undefined) return []
    return standingsAfter(this.#grant, { tokens: tokensOf(usage), images }, ms)
  }

  /** Replaces the reservation by what was used. @throws when it could not be recorded after several attempts */
  async settle(settled: Settled): Promise<void> {
    const { meter, key } = this.#parts
    await this.#reserved
    await withRetries(() => meter.settle(key.id, { callId: this.#callId, ...settled }))
  }
}

type Settled = Omit<Settlement, 'callId'>

async function withRetries(settle: () => Promise<void>): Promise<void> {
  for (const waitMs of retryMs) {
    try {
      return await settle()
    } catch {
      await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
  }
  await settle()
}
