import * as z from 'zod'
import { maxChoices } from '../../shared/api/limits.ts'
import { integerSetting } from '../../shared/settings/integer.ts'

/** Answers that one engine is given at a time: the number with which `docs/cluster.md` starts vLLM. */
const defaultSlots = 32

const engineUrl = z
  .url({
    protocol: /^https?$/,
    error: 'expected http or https URLs, separated by commas',
    abort: true,
  })
  .refine(isPlain, { error: 'expected URLs without credentials, query and fragment' })
  // `/v1` is what clients of OpenAI's are configured with.
  .transform((url) => url.replace(/\/+$/, '').replace(/\/v1$/, ''))

/** The settings that put engines elsewhere behind this backend. */
export const clusterSettingsSchema = z.object({
  ENGINE: z.enum(['own', 'openai']).default('own'),
  ENGINE_URLS: z
    .string()
    .transform((text) => text.split(',').map((url) => url.trim()))
    .pipe(z.array(engineUrl).min(1))
    .refine((urls) => new Set(urls.map((url) => new URL(url).host)).size === urls.length, {
      error: 'expected each host and port only once',
    })
    .optional(),
  ENGINE_API_KEY: z.string().optional(),
  ENGINE_MODEL: z.string().optional(),
  ENGINE_SLOTS: integerSetting(maxChoices, 4_096).default(defaultSlots),
  ENGINE_CACHE_SECRET: z.string().min(16, 'expected at least 16 characters').optional(),
})

export interface ClusterSettings {
  readonly urls: readonly string[]
  readonly apiKey: string | undefined
  /** With undefined, the only one that each engine has. */
  readonly model: string | undefined
  /** Answers that one engine is given at a time. */
  readonly slots: number
  readonly cacheSecret: string | undefined
}

type Settings = z.infer<typeof clusterSettingsSchema>

/** Whether the settings agree with each other. */
export const needsUrls = z.refine<Pick<Settings, 'ENGINE' | 'ENGINE_URLS'>>(
  ({ ENGINE, ENGINE_URLS }) => ENGINE === 'own' || ENGINE_URLS !== undefined,
  { path: ['ENGINE_URLS'], error: 'is required with ENGINE=openai' },
)

/** @returns undefined when the engine of this server is used */
export function clusterSettingsOf(settings: Settings): ClusterSettings | undefined {
  const { ENGINE: engine, ENGINE_URLS: urls } = settings
  if (engine === 'own' || urls === undefined) return undefined
  return {
    urls,
    apiKey: settings.ENGINE_API_KEY,
    model: settings.ENGINE_MODEL,
    slots: settings.ENGINE_SLOTS,
    cacheSecret: settings.ENGINE_CACHE_SECRET,
  }
}

function isPlain(url: string): boolean {
  const { username, password, search, hash } = new URL(url)
  return [username, password, search, hash].every((part) => part === '')
}
