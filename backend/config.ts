import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { integerSetting, parseEnvironment, portSetting } from '../shared/node/environment.ts'
import { logLevels } from './telemetry/log.ts'

/** A certificate name, compared literally: no wildcards, no leading dot. */
const certificateName = /^[a-z\d]([a-z\d.-]*[a-z\d])?$/i

const schema = z.object({
  BACKEND_PORT: portSetting.default(8443),
  BACKEND_HOST: z.string().default('127.0.0.1'),
  STATE_DIR: z.string().default('.local'),
  MODEL_PATH: z.string().default('models/kimi-vl-nano'),
  MAX_TOKENS: integerSetting(1, 1_000_000).default(4000),
  WEIGHTS: z.enum(['q8', 'f32']).default('q8'),
  SLOTS: integerSetting(1, 256).default(4),
  QUEUE_LIMIT: integerSetting(1, 100_000).default(256),
  THREADS: integerSetting(1, 1024).optional(),
  ALLOWED_CLIENTS: z
    .string()
    .default('edge,vpc-client')
    .transform((text) => text.split(',').map((name) => name.trim()))
    .refine((names) => names.every((name) => certificateName.test(name)), {
      error: 'expected certificate names, separated by commas',
    }),
  TLS_CA: z.string().optional(),
  TLS_CERT: z.string().optional(),
  TLS_KEY: z.string().optional(),
  LOG_LEVEL: z.enum(logLevels).default('info'),
})

export type BackendConfig = ReturnType<typeof parseConfig>

/** The backend's settings. @throws {ConfigError} naming every bad variable */
export function parseConfig(environment: Readonly<Record<string, string | undefined>>) {
  const settings = parseEnvironment(schema, environment)
  const certificates = join(settings.STATE_DIR, 'certs')
  return Object.freeze({
    port: settings.BACKEND_PORT,
    host: settings.BACKEND_HOST,
    model: {
      checkpointDir: settings.MODEL_PATH,
      /** Where converted models are kept. */
      modelsDir: join(settings.STATE_DIR, 'models'),
      weights: settings.WEIGHTS,
      slots: settings.SLOTS,
      threads: settings.THREADS ?? availableParallelism(),
    },
    queueLimit: settings.QUEUE_LIMIT,
    defaultMaxTokens: settings.MAX_TOKENS,
    allowedClients: settings.ALLOWED_CLIENTS,
    tlsPaths: {
      ca: settings.TLS_CA ?? join(certificates, 'ca.pem'),
      cert: settings.TLS_CERT ?? join(certificates, 'server.pem'),
      key: settings.TLS_KEY ?? join(certificates, 'server-key.pem'),
    },
    logLevel: settings.LOG_LEVEL,
  })
}
