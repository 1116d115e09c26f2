import { join } from 'node:path'
import * as z from 'zod'
import { largestHeldBytes } from '../../shared/api/limits.ts'
import { hostsSetting } from '../../shared/fetch/host-rules.ts'
import { logLevels } from '../../shared/log/log-levels.ts'
import { defaultStateDir } from '../../shared/node/settings/default-folders.ts'
import { parseEnvironment } from '../../shared/node/settings/environment.ts'
import { apiKeySetting } from '../../shared/settings/api-key.ts'
import { booleanSetting } from '../../shared/settings/boolean.ts'
import { deadlineSetting } from '../../shared/settings/deadline.ts'
import { drainTimeoutSetting } from '../../shared/settings/drain-timeout.ts'
import { integerSetting, portSetting } from '../../shared/settings/integer.ts'
import { tracingConfigOf, tracingSettings } from '../../shared/tracing/settings.ts'
import { defaultGraceMs, defaultMaxStaleMs } from '../keys/synced-key-source.ts'
import { proxiesSetting } from './client-address.ts'
import { originsSetting } from '../cors/origins-setting.ts'
import { backendUrlSetting, backendUrlsSetting, stickySetting } from '../backends/backend-urls.ts'

/** Requests one client address may send in ten seconds: far more than any normal client sends. */
const defaultAddressLimit = 1_000

/** MiB: sixteen of the largest bodies with an `Idempotency-Key`, with their copies. */
const defaultMemoryMb = 512

/** MiB: two of the largest requests, since one key may use half of it. */
const leastMemoryMb = (2 * largestHeldBytes) / 2 ** 20

const edgeSettings = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: portSetting.default(8787),
  METRICS_PORT: portSetting.optional(),
  METRICS_HOST: z.string().default('127.0.0.1'),
  API_KEY: apiKeySetting,
  BACKEND_PORT: portSetting.default(8443),
  BACKEND_URL: backendUrlSetting.optional(),
  BACKENDS: backendUrlsSetting.optional(),
  BACKEND_AFFINITY: stickySetting,
  REVOCATION_MAX_STALE_MS: integerSetting(0, 3_600_000).default(defaultMaxStaleMs),
  REVOCATION_GRACE_MS: integerSetting(0, 3_600_000).default(defaultGraceMs),
  REVOCATION_CUTS_STREAMS: booleanSetting.default(false),
  EDGE_MEMORY_MB: integerSetting(leastMemoryMb, 1_000_000).default(defaultMemoryMb),
  ADDRESS_LIMIT: integerSetting(1, 1_000_000).default(defaultAddressLimit),
  TRUSTED_PROXIES: proxiesSetting,
  IMAGE_HOSTS_ALLOWED: hostsSetting,
  IMAGE_HOSTS_DENIED: hostsSetting,
  CORS_ORIGINS: originsSetting,
  DRAIN_TIMEOUT_MS: drainTimeoutSetting,
  DEADLINE_MS: deadlineSetting,
  STATE_DIR: z.string().default(defaultStateDir),
  TLS_CA: z.string().optional(),
  TLS_CERT: z.string().optional(),
  TLS_KEY: z.string().optional(),
  LOG_LEVEL: z.enum(logLevels).default('info'),
  ...tracingSettings.shape,
})

/** Every variable that the edge on Node reads. */
export const edgeSettingNames: readonly string[] = Object.keys(edgeSettings.shape)

const edgeConfig = edgeSettings.transform((settings) => ({
  host: settings.HOST,
  port: settings.PORT,
  metrics: { port: settings.METRICS_PORT, host: settings.METRICS_HOST },
  apiKey: settings.API_KEY,
  backendUrls: settings.BACKENDS ?? [
    settings.BACKEND_URL ?? `https://localhost:${settings.BACKEND_PORT}`,
  ],
  stickyByContent: settings.BACKEND_AFFINITY === 'content' && (settings.BACKENDS ?? []).length > 1,
  revocation: {
    cutsStreams: settings.REVOCATION_CUTS_STREAMS,
    /** For the Worker; on Node a revocation is effective at once. */
    maxStaleMs: settings.REVOCATION_MAX_STALE_MS,
    graceMs: settings.REVOCATION_GRACE_MS,
  },
  memoryBytes: settings.EDGE_MEMORY_MB * 2 ** 20,
  addressLimit: settings.ADDRESS_LIMIT,
  trustedProxies: settings.TRUSTED_PROXIES,
  imageHosts: { allowed: settings.IMAGE_HOSTS_ALLOWED, denied: settings.IMAGE_HOSTS_DENIED },
  corsOrigins: settings.CORS_ORIGINS,
  stateDir: settings.STATE_DIR,
  deadlineMs: settings.DEADLINE_MS,
  drainMs: settings.DRAIN_TIMEOUT_MS,
  logLevel: settings.LOG_LEVEL,
  tracing: tracingConfigOf(settings, 'describe-edge'),
  tlsFiles: {
    ca: settings.TLS_CA ?? join(settings.STATE_DIR, 'certs', 'ca.pem'),
    cert: settings.TLS_CERT ?? join(settings.STATE_DIR, 'certs', 'client.pem'),
    key: settings.TLS_KEY ?? join(settings.STATE_DIR, 'certs', 'client-key.pem'),
  },
}))

export type EdgeConfig = z.infer<typeof edgeConfig>

/** The settings of the edge on Node. @throws {ConfigError} naming every bad variable */
export function parseEdgeConfig(environment: NodeJS.ProcessEnv): Readonly<EdgeConfig> {
  return parseEnvironment(edgeConfig, environment)
}
