import type { KeyAdministrationParts } from './admin/key-administration.ts'
import type { MetricsParts } from './admin/metrics-route.ts'
import type { UsageParts } from './admin/usage-route.ts'
import type { CutRevokedParts } from './calls/cut-revoked-stream.ts'
import type { EdgeContext } from './calls/context.ts'
import type { GuardParts } from './calls/guard-address.ts'
import type { HoldParts } from './calls/hold-bytes.ts'
import type { LogParts } from './calls/observe/log-call.ts'
import type { RunParts } from './calls/run-call.ts'
import type { TraceParts } from './calls/observe/trace-call.ts'
import type { CorsParts } from './cors/allow-origins.ts'
import type { IdempotencyParts } from './idempotency/idempotent.ts'
import type { ApiKeys } from './keys/api-keys.ts'
import type { Meter } from './limits/meter.ts'
import type { RouteParts } from './routes/route-table.ts'

/**
 * What the app needs from its runtime: the sum of what each folder declares for itself. `node/` and `worker/` each
 * create one.
 */
export type Platform = RunParts &
  Omit<RouteParts, 'failures'> &
  IdempotencyParts &
  KeyAdministrationParts &
  UsageParts &
  MetricsParts &
  GuardParts &
  HoldParts &
  CutRevokedParts &
  CorsParts &
  LogParts &
  TraceParts & {
    readonly keys: ApiKeys
    readonly meter: Meter
    /** Whether streams end soon after their key is revoked. */
    readonly revocationCutsStreams: boolean
    /** The address a request came from, even behind proxies; undefined when unknown. */
    readonly clientAddress: (c: EdgeContext) => string | undefined
  }
