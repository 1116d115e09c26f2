import { DurableObject } from 'cloudflare:workers'
import { AnswerRegister } from '../../idempotency/answer-register.ts'
import type {
  Claim,
  ClaimReply,
  IdempotencyStore,
  KeptAnswer,
} from '../../idempotency/idempotency-store.ts'
import { objectSql } from './object-sql.ts'

/** The kept answers of one API key. All isolates of the world ask the same object, one after the other. */
export class AnswerRegisterObject extends DurableObject<unknown> implements IdempotencyStore {
  readonly #register: AnswerRegister

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env)
    this.#register = new AnswerRegister(objectSql(ctx.storage), () => Date.now())
  }

  claim(claim: Claim): ClaimReply {
    return this.#register.claim(claim)
  }
  settle(claim: Claim, run: string, answer: KeptAnswer | undefined): void {
    this.#register.settle(claim, run, answer)
  }
}
