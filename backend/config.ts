import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import { hostsSetting } from '../shared/fetch/host-rules.ts'
import { formChoiceOf, weightSettingsSchema } from './model/convert/graphs/weight-settings.ts'
import { hubSettingsOf, hubSettingsSchema } from './hub/hub-settings.ts'
import { logLevels } from '../shared/log/log-levels.ts'
import { defaultModelPath, defaultStateDir } from '../shared/node/settings/default-folders.ts'
import { parseEnvironment } from '../shared/node/settings/environment.ts'
import { booleanSetting } from '../shared/settings/boolean.ts'
import { deadlineSetting } from '../shared/settings/deadline.ts'
import { drainTimeoutSetting } from '../shared/settings/drain-timeout.ts'
import { integerSetting, portSetting } from '../shared/settings/integer.ts'
import { listItems } from '../shared/settings/list.ts'
import { leastDecodeMemoryMb, leastUploadMemoryMb } from './memory/body-bounds.ts'
import { parseDeviceMap, usesCard, type DeviceMap } from './device/device-map.ts'
import { providerSettings } from './device/choose-provider.ts'
import { tracingConfigOf, tracingSettings } from '../shared/tracing/settings.ts'
import { clusterSettingsOf, clusterSettingsSchema, needsUrls } from './cluster/cluster-settings.ts'
import { tenantOfClient, tenantOfKey } from './tenant.ts'

/** A certificate name, compared literally: no wildcards, no leading dot. */
const certificateName = /^[a-z\d]([a-z\d.-]*[a-z\d])?$/i

/**
 * Prompt tokens of work that may wait: 256 questions about a full-sized image with 4,000 tokens of answer each, plus
 * a few prompts of full context length. Waiting images take 1.2 kB per token of work: 4.7 GB if all work were images.
 */
const defaultQueueWorkLimit = 4_000_000

/** Tokens; with fewer, hardly any question would fit. */
const leastKvTokens = 256

/** MiB: an image at its full 1,024 tokens takes 8, so this holds 32 of the largest; 1 % of a 24 GiB machine. */
const defaultImageCacheMb = 256

/** MiB: twenty uploads of the largest size; a twelfth of a 24 GiB machine. */
const defaultUploadMemoryMb = 2048

/** MiB: three photos of 100 megapixels at a time, or a dozen of 24; a twelfth of a 24 GiB machine. */
const defaultDecodeMemoryMb = 2048

const fields = z.object({
  BACKEND_PORT: portSetting.default(8443),
  BACKEND_HOST: z.string().default('127.0.0.1'),
  BACKEND_METRICS_PORT: portSetting.optional(),
  BACKEND_METRICS_HOST: z.string().default('127.0.0.1'),
  STATE_DIR: z.string().default(defaultStateDir),
  MODEL_PATH: z.string().default(defaultModelPath),
  ...hubSettingsSchema.shape,
  ...clusterSettingsSchema.shape,
  MAX_TOKENS: integerSetting(1, 1_000_000).default(4000),
  ...weightSettingsSchema.shape,
  PROVIDER: z.enum(providerSettings).default('auto'),
  DEVICE_MAP: z.string().default('auto').transform(readDeviceMap),
  SLOTS: integerSetting(1, 256).default(4),
  QUEUE_LIMIT: integerSetting(1, 100_000).default(256),
  QUEUE_WORK_LIMIT: integerSetting(1, 1_000_000_000).default(defaultQueueWorkLimit),
  TENANT_WEIGHTS: z.string().default('').transform(parseTenantWeights),
  DETERMINISTIC: booleanSetting.default(false),
  SPECULATION: z.enum(['auto', 'on', 'off']).default('auto'),
  KV_CACHE_TOKENS: integerSetting(0, 1_000_000_000)
    .refine((tokens) => tokens === 0 || tokens >= leastKvTokens, {
      error: `expected 0, or at least ${leastKvTokens}`,
    })
    .optional(),
  PREFIX_CACHE_TOKENS: integerSetting(0, 1_000_000_000).default(Infinity),
  IMAGE_CACHE_MB: integerSetting(0, 1_000_000).default(defaultImageCacheMb),
  MEMORY_MB: integerSetting(64, 100_000_000).optional(),
  UPLOAD_MEMORY_MB: integerSetting(leastUploadMemoryMb, 1_000_000).default(defaultUploadMemoryMb),
  DECODE_MEMORY_MB: integerSetting(leastDecodeMemoryMb, 1_000_000).default(defaultDecodeMemoryMb),
  THREADS: integerSetting(1, 1024).optional(),
  IMAGE_HOSTS_ALLOWED: hostsSetting,
  IMAGE_HOSTS_DENIED: hostsSetting,
  ALLOWED_CLIENTS: z
    .string()
    .default('edge,vpc-client')
    .transform((text) => text.split(',').map((name) => name.trim()))
    .refine((names) => names.every((name) => certificateName.test(name)), {
      error: 'expected certificate names, separated by commas',
    }),
  DEADLINE_MS: deadlineSetting,
  DRAIN_TIMEOUT_MS: drainTimeoutSetting,
  IMAGE_FETCH: booleanSetting.default(true),
  MODEL_ALIASES: z.string().default('kimi-vl').transform(listItems),
  REASONING: z.enum(['auto', 'on', 'off']).default('auto'),
  TLS_CA: z.string().optional(),
  TLS_CERT: z.string().optional(),
  TLS_KEY: z.string().optional(),
  LOG_LEVEL: z.enum(logLevels).default('info'),
  ...tracingSettings.shape,
})

// On a card the sizes of batches decide how rounding falls, and those depend on what else runs.
const schema = fields
  .check(needsUrls)
  .refine(({ DETERMINISTIC, PROVIDER }) => !(DETERMINISTIC && PROVIDER === 'webgpu'), {
    path: ['DETERMINISTIC'],
    error: 'not possible with PROVIDER=webgpu',
  })
  .refine(({ DETERMINISTIC, DEVICE_MAP }) => !(DETERMINISTIC && usesCard(DEVICE_MAP)), {
    path: ['DETERMINISTIC'],
    error: 'not possible with layers on a gpu (DEVICE_MAP)',
  })
  // Tokens that are verified together are attended together, which decides how rounding falls.
  .refine(({ DETERMINISTIC, SPECULATION }) => !(DETERMINISTIC && SPECULATION === 'on'), {
    path: ['DETERMINISTIC'],
    error: 'not possible with SPECULATION=on',
  })

function readDeviceMap(text: string, context: z.core.$RefinementCtx<string>): DeviceMap {
  const map = parseDeviceMap(text)
  if (map === 'auto' || !('problem' in map)) return map
  context.addIssue(map.problem)
  return z.NEVER
}

/**
 * `name=weight` pairs, separated by commas: a weight applies to the key with this id and to the certificate with this
 * name.
 */
function parseTenantWeights(
  text: string,
  context: z.core.$RefinementCtx<string>,
): ReadonlyMap<string, number> {
  const entries = text.split(',').filter((entry) => entry.trim() !== '')
  const weights = entries.map((entry) => /^\s*([\w.-]+)\s*=\s*(\d+(\.\d+)?)\s*$/.exec(entry))
  if (weights.every((match) => match !== null && Number(match[2]) > 0)) {
    return new Map(
      weights.flatMap((match) =>
        [tenantOfKey, tenantOfClient].map((tenantOf) => [tenantOf(match![1]!), Number(match![2])]),
      ),
    )
  }
  context.addIssue('expected name=weight pairs, separated by commas, each weight above 0')
  return z.NEVER
}

/** Every variable that the backend reads. */
export const backendSettingNames: readonly string[] = Object.keys(fields.shape)

export type BackendConfig = ReturnType<typeof parseConfig>

/** The backend's settings. @throws {ConfigError} naming every bad variable */
export function parseConfig(environment: Readonly<Record<string, string | undefined>>) {
  const settings = parseEnvironment(schema, environment)
  const certificates = join(settings.STATE_DIR, 'certs')
  return Object.freeze({
    port: settings.BACKEND_PORT,
    host: settings.BACKEND_HOST,
    provider: settings.PROVIDER,
    deviceMap: settings.DEVICE_MAP,
    model: {
      checkpointDir: settings.MODEL_PATH,
      /** Where converted models are kept. */
      modelsDir: join(settings.STATE_DIR, 'models'),
      /** Where checkpoints downloaded from the hub are kept. */
      checkpointsDir: join(settings.STATE_DIR, 'checkpoints'),
      ...formChoiceOf(settings),
      slots: settings.SLOTS,
      threads: settings.THREADS ?? availableParallelism(),
    },
    metrics: { port: settings.BACKEND_METRICS_PORT, host: settings.BACKEND_METRICS_HOST },
    hub: hubSettingsOf(settings),
    engine: {
      queueLimit: settings.QUEUE_LIMIT,
      queueWorkLimit: settings.QUEUE_WORK_LIMIT,
      tenantWeights: settings.TENANT_WEIGHTS,
      deterministic: settings.DETERMINISTIC,
      caches: {
        kvTokens: settings.KV_CACHE_TOKENS,
        prefixTokens: settings.PREFIX_CACHE_TOKENS,
        imageBytes: settings.IMAGE_CACHE_MB * 1024 * 1024,
      },
    },
    /** Whether tokens are drafted and verified; `auto`: where a step of several rows takes about as long as one of a single row. */
    speculation: settings.SPECULATION,
    /** Engines elsewhere; undefined with the one of this server. */
    cluster: clusterSettingsOf(settings),
    defaultMaxTokens: settings.MAX_TOKENS,
    /** What the backend may take, as the operator says; undefined for what is free. */
    memoryBytes: settings.MEMORY_MB === undefined ? undefined : settings.MEMORY_MB * 2 ** 20,
    uploadMemoryBytes: settings.UPLOAD_MEMORY_MB * 1024 * 1024,
    deadlineMs: settings.DEADLINE_MS,
    drainMs: settings.DRAIN_TIMEOUT_MS,
    decodeMemoryBytes: settings.DECODE_MEMORY_MB * 1024 * 1024,
    allowedClients: settings.ALLOWED_CLIENTS,
    modelAliases: settings.MODEL_ALIASES,
    /** Whether the model thinks before it answers. */
    reasoning: settings.REASONING,
    fetchesImages: settings.IMAGE_FETCH,
    imageHosts: { allowed: settings.IMAGE_HOSTS_ALLOWED, denied: settings.IMAGE_HOSTS_DENIED },
    tlsPaths: {
      ca: settings.TLS_CA ?? join(certificates, 'ca.pem'),
      cert: settings.TLS_CERT ?? join(certificates, 'server.pem'),
      key: settings.TLS_KEY ?? join(certificates, 'server-key.pem'),
    },
    logLevel: settings.LOG_LEVEL,
    tracing: tracingConfigOf(settings, 'describe-backend'),
  })
}
