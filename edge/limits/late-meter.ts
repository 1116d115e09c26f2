import { afterAnswer } from '../calls/after-answer.ts'
import type { DayUsage } from '../../shared/api/usage.ts'
import type { DayRange, Decision, Meter, ReserveRequest, Settlement } from './meter.ts'

/** Milliseconds before each further attempt to settle; a settlement that gets through twice counts once. */
const retryMs = [100, 1_000]

interface Waiting {
  readonly keyId: string
  readonly settlement: Settlement
  /** Whether it is on its way. */
  isSent: boolean
}

/**
 * A meter that settles after the answer where nobody has to wait for it. Whatever is asked here next about the same key
 * is asked after its settlements, so that they cannot be missed. Settlements that wait when the process ends are lost:
 * their calls count as crashed once their lease is over.
 */
export class LateMeter {
  readonly #meter: Meter
  readonly #waiting = new Set<Waiting>()

  constructor(meter: Meter) {
    this.#meter = meter
  }

  reserve(keyId: string, request: ReserveRequest): Promise<Decision> {
    const unsent = this.#waitingOf(keyId).filter(({ isSent }) => !isSent)
    this.#send(unsent).catch(() => undefined)
    return this.#meter.reserve(keyId, request)
  }

  async usage(keyId: string, range: DayRange): Promise<DayUsage[]> {
    await this.#send(this.#waitingOf(keyId))
    return this.#meter.usage(keyId, range)
  }

  /** @param isUrgent true when the answer waits for it. @throws when it could not be written down, after some attempts */
  async settle(keyId: string, settlement: Settlement, isUrgent: boolean): Promise<void> {
    const waiting = { keyId, settlement, isSent: false }
    this.#waiting.add(waiting)
    if (!isUrgent) await afterAnswer()
    waiting.isSent = true
    try {
      await withRetries(() => this.#meter.settle(keyId, settlement))
    } finally {
      this.#waiting.delete(waiting)
    }
  }

  /** Once more is no harm, and what one request waits for another one must not. */
  async #send(waiting: readonly Waiting[]): Promise<void> {
    const sent = waiting.map((one) => {
      one.isSent = true
      return this.#meter.settle(one.keyId, one.settlement)
    })
    await Promise.all(sent)
  }

  #waitingOf(keyId: string): Waiting[] {
    return [...this.#waiting].filter((one) => one.keyId === keyId)
  }
}

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
