import { z } from 'zod'
import { defaultDeadlineMs } from '../shared/api/limits.ts'

/** A binding that fetches with the client certificate. */
interface MtlsFetcher {
  fetch(url: string, init: RequestInit): Promise<Response>
}

const isFetcher = (value: unknown): value is MtlsFetcher =>
  typeof value === 'object' && value !== null && 'fetch' in value

/** The names pino knows; the Worker writes info and error lines. */
const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

const workerSettings = z.object({
  BACKEND: z.custom<MtlsFetcher>(isFetcher, 'expected an mTLS certificate binding'),
  BACKEND_URL: z.url({ protocol: /^https$/ }),
  API_KEY: z.string().min(1),
  DEADLINE_MS: z.coerce.number().int().min(1_000).default(defaultDeadlineMs),
  LOG_LEVEL: z.enum(logLevels).default('info'),
})
export type WorkerConfig = Readonly<z.infer<typeof workerSettings>>

/** Bindings and variables, checked. @returns the names of those that are missing or malformed, if any */
export function parseWorkerConfig(
  env: unknown,
): { readonly config: WorkerConfig } | { readonly badSettings: readonly string[] } {
  const result = workerSettings.safeParse(env)
  if (result.success) return { config: Object.freeze(result.data) }
  return { badSettings: result.error.issues.map((issue) => issue.path.join('.')) }
}
