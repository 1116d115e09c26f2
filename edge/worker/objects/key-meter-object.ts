import { DurableObject } from 'cloudflare:workers'
import type { DayUsage } from '../../../shared/api/administration/usage.ts'
import { KeyMeter } from '../../limits/key-meter.ts'
import { localMeter } from '../../limits/local-meter.ts'
import type { DayRange, Decision, Meter, ReserveRequest, Settlement } from '../../limits/meter.ts'
import { objectSql } from './object-sql.ts'

/** The meter of one key. All isolates in the world call the same object, one after the other. */
export class KeyMeterObject extends DurableObject<unknown> implements Meter {
  readonly #meter: Meter

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env)
    this.#meter = localMeter(new KeyMeter(objectSql(ctx.storage)), () => Date.now())
  }

  reserve(keyId: string, request: ReserveRequest): Promise<Decision> {
    return this.#meter.reserve(keyId, request)
  }
  settle(keyId: string, settlement: Settlement): Promise<void> {
    return this.#meter.settle(keyId, settlement)
  }
  check(keyId: string): Promise<void> {
    return this.#meter.check(keyId)
  }
  usage(keyId: string, range: DayRange): Promise<DayUsage[]> {
    return this.#meter.usage(keyId, range)
  }
}
