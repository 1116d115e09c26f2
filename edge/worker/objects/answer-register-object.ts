import { DurableObject } from 'cloudflare:workers'
import { AnswerRegister, keptMs } from '../../idempotency/answer-register.ts'
import type {
  Claim,
  ClaimReply,
  IdempotencyStore,
  Outcome,
} from '../../idempotency/idempotency-store.ts'
import { objectSql } from './object-sql.ts'

/** Minimum milliseconds between two alarms, so that ten thousand answers do not cause as many alarms. */
const leastAlarmMs = 60_000

/**
 * The kept answers of one API key. All isolates in the world call the same object, one after the other. An alarm
 * removes expired answers, even those of a key that sends nothing more.
 */
export class AnswerRegisterObject extends DurableObject<unknown> implements IdempotencyStore {
  readonly #register: AnswerRegister

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env)
    this.#register = new AnswerRegister(objectSql(ctx.storage), () => Date.now())
  }

  async claim(claim: Claim): Promise<ClaimReply> {
    // No alarm is set if there was nothing before: everything added later expires later than this.
    if ((await this.ctx.storage.getAlarm()) === null) {
      await this.ctx.storage.setAlarm(Date.now() + keptMs)
    }
    return this.#register.claim(claim)
  }

  settle(claim: Claim, run: string, outcome: Outcome): void {
    this.#register.settle(claim, run, outcome)
  }

  /** Removes everything at once, since other keys have objects of their own. */
  forget(scope: string): boolean {
    while (this.#register.forget(scope));
    return false
  }

  override async alarm(): Promise<void> {
    while (this.#register.removeExpired());
    const next = this.#register.nextExpiry()
    if (next === undefined) return
    await this.ctx.storage.setAlarm(Math.max(next, Date.now() + leastAlarmMs))
  }
}
