import * as z from 'zod'
import { hostsSetting } from '../../shared/fetch/host-rules.ts'
import { logLevels } from '../../shared/log/log-levels.ts'
import { apiKeySetting } from '../../shared/settings/api-key.ts'
import { booleanSetting } from '../../shared/settings/boolean.ts'
import { deadlineSetting } from '../../shared/settings/deadline.ts'
import { integerSetting } from '../../shared/settings/integer.ts'
import { tracingSettings } from '../../shared/tracing/settings.ts'
import { misspelt, type Misspelt } from '../../shared/settings/misspelt.ts'
import type { PointDataset } from './analytics.ts'
import type { AnswerNamespace } from './remote-answers.ts'
import type { CopyNamespace } from '../keys/key-copies.ts'
import type { KeyNamespace } from './remote-key-store.ts'
import { defaultGraceMs, defaultMaxStaleMs } from '../keys/synced-key-source.ts'
import type { MeterNamespace } from './remote-meter.ts'
import { originsSetting } from '../cors/origins-setting.ts'
import { backendUrlSetting, backendUrlsSetting, stickySetting } from '../backends/backend-urls.ts'

/** A binding that fetches with the client certificate. */
interface MtlsFetcher {
  fetch(url: string, init: RequestInit): Promise<Response>
}

const isFetcher = (value: unknown): value is MtlsFetcher =>
  typeof value === 'object' && value !== null && 'fetch' in value

const mtlsExpected = 'expected an mTLS certificate binding'
const mtlsBinding = z.custom<MtlsFetcher>(isFetcher, mtlsExpected)

const isNamespace = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'getByName' in value

const isCopyNamespace = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'put' in value

/** A rate limiting binding. */
interface RateLimiter {
  limit(options: { key: string }): Promise<{ success: boolean }>
}

const isRateLimiter = (value: unknown): value is RateLimiter =>
  typeof value === 'object' && value !== null && 'limit' in value

const isDataset = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'writeDataPoint' in value

const workerSettings = z.object({
  /** For every backend that has no binding of its own (BACKEND_2 for the second, and so on). */
  BACKEND: mtlsBinding,
  BACKEND_URL: backendUrlSetting.optional(),
  BACKENDS: backendUrlsSetting.optional(),
  BACKEND_AFFINITY: stickySetting,
  /** Reaches a collector of traces that is in a private network, or requires a certificate. */
  OTLP_COLLECTOR: z.custom<MtlsFetcher>(isFetcher, 'expected a binding that fetches').optional(),
  /** Receives a data point for each call, if configured. */
  METRICS: z.custom<PointDataset>(isDataset, 'expected an Analytics Engine dataset').optional(),
  API_KEY: apiKeySetting,
  KEY_AUTHORITY: z.custom<KeyNamespace>(isNamespace),
  KEYS: z.custom<CopyNamespace>(isCopyNamespace),
  KEY_METER: z.custom<MeterNamespace>(isNamespace),
  KEPT_ANSWERS: z.custom<AnswerNamespace>(isNamespace),
  ADDRESS_GUARD: z.custom<RateLimiter>(isRateLimiter),
  REVOCATION_MAX_STALE_MS: integerSetting(0, 3_600_000).default(defaultMaxStaleMs),
  REVOCATION_GRACE_MS: integerSetting(0, 3_600_000).default(defaultGraceMs),
  REVOCATION_CUTS_STREAMS: booleanSetting.default(false),
  IMAGE_HOSTS_ALLOWED: hostsSetting,
  IMAGE_HOSTS_DENIED: hostsSetting,
  CORS_ORIGINS: originsSetting,
  DEADLINE_MS: deadlineSetting,
  LOG_LEVEL: z.enum(logLevels).default('info'),
  ...tracingSettings.shape,
})

/** A backend's address and the binding that reaches it. */
export interface BoundBackend {
  readonly url: string
  readonly fetcher: MtlsFetcher
}

export type WorkerConfig = Readonly<z.infer<typeof workerSettings>> & {
  readonly backends: readonly BoundBackend[]
}

/** A binding or variable that is missing or malformed, and why. */
export interface BadSetting {
  readonly name: string
  readonly reason: string
}

/** Variables that nothing reads but that look like one of ours. */
export function misspeltVariables(env: unknown): Misspelt[] {
  return misspelt(Object.keys(env as object), Object.keys(workerSettings.shape)).filter(
    ({ name }) => !/^BACKEND_\d+$/.test(name),
  )
}

/** Validated bindings and variables. An empty variable counts as unset. */
export function parseWorkerConfig(
  env: unknown,
): { readonly config: WorkerConfig } | { readonly badSettings: readonly BadSetting[] } {
  const given = Object.entries(env as object).filter(([, value]) => value !== '')
  const result = workerSettings.safeParse(Object.fromEntries(given), { reportInput: true })
  if (!result.success) {
    const badSettings = result.error.issues.map(({ path, input, message }) => ({
      name: path.join('.'),
      reason: input === undefined ? 'is required' : message,
    }))
    return { badSettings }
  }
  const { BACKENDS, BACKEND_URL, BACKEND } = result.data
  const urls = BACKENDS ?? (BACKEND_URL === undefined ? [] : [BACKEND_URL])
  if (urls.length === 0) return { badSettings: [{ name: 'BACKENDS', reason: 'is required' }] }
  const own = (index: number) => (env as Record<string, unknown>)[`BACKEND_${index + 1}`]
  const badBindings = urls.flatMap((_url, index) =>
    own(index) === undefined || isFetcher(own(index))
      ? []
      : [{ name: `BACKEND_${index + 1}`, reason: mtlsExpected }],
  )
  if (badBindings.length > 0) return { badSettings: badBindings }
  const backends = urls.map((url, index) => {
    const fetcher = own(index)
    return { url, fetcher: isFetcher(fetcher) ? fetcher : BACKEND }
  })
  return { config: Object.freeze({ ...result.data, backends }) }
}
