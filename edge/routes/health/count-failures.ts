import type { CallBackend } from '../../backends/exchange.ts'
import type { ApiKeys } from '../../keys/api-keys.ts'
import type { Meter } from '../../limits/meter.ts'
import { Failures } from './failures.ts'

/** What calls are served with. */
interface CallParts {
  readonly backend: CallBackend
  readonly meter: Pick<Meter, 'reserve' | 'settle'>
  readonly keys: Pick<ApiKeys, 'verify'>
}

/** How often calls met something that did not work. */
export interface CallFailures {
  readonly ofBackends: Pick<Failures, 'count'>
  /** Of keys and limits. */
  readonly ofStores: Pick<Failures, 'count'>
}

/** The same parts, but counting their failures. A call that its own client ended is none; a backend's 503 is one. */
export function countFailures({
  backend,
  meter,
  keys,
}: CallParts): CallParts & { readonly failures: CallFailures } {
  const ofBackends = new Failures()
  const ofStores = new Failures()
  return {
    backend: ofBackends.counted(backend, {
      refuses: ({ answer }) => answer.status === 503,
      withdrawn: (_path, { signal }) => signal.aborted,
    }),
    meter: {
      reserve: ofStores.counted((id, request) => meter.reserve(id, request)),
      settle: ofStores.counted((id, settlement) => meter.settle(id, settlement)),
    },
    keys: { verify: ofStores.counted((presented) => keys.verify(presented)) },
    failures: { ofBackends, ofStores },
  }
}
