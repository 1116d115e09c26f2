import { homedir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'

/** The hub's own variables, under the names its other tools use. */
export const hubSettingsSchema = z.object({
  HF_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'expected an address such as https://huggingface.co' })
    .default('https://huggingface.co'),
  HF_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'expected a token without spaces')
    .optional(),
  HF_HOME: z.string().default(join(homedir(), '.cache', 'huggingface')),
  HF_HUB_CACHE: z.string().optional(),
  HF_HUB_OFFLINE: z
    .enum(['0', '1'])
    .default('0')
    .transform((text) => text === '1'),
})

/** How to reach the hub. */
export interface HubSettings {
  /** Without a trailing slash. */
  readonly endpoint: string
  readonly token: string | undefined
  /** Where the hub's own tools keep their downloads. */
  readonly cacheDir: string
  /** True when nothing may be downloaded. */
  readonly offline: boolean
}

export function hubSettingsOf(settings: z.infer<typeof hubSettingsSchema>): HubSettings {
  return {
    endpoint: settings.HF_ENDPOINT.replace(/\/+$/, ''),
    token: settings.HF_TOKEN,
    cacheDir: settings.HF_HUB_CACHE ?? join(settings.HF_HOME, 'hub'),
    offline: settings.HF_HUB_OFFLINE,
  }
}
