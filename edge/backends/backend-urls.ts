import * as z from 'zod'

/** One backend's address. Only its host and port are used; its certificate must be valid for the host. */
export const backendUrlSetting = z.url({
  protocol: /^https$/,
  error: 'expected an https URL',
  // Stops here on failure, because checks over several addresses need valid ones.
  abort: true,
})

/** Several addresses, separated by commas. */
export const backendUrlsSetting = z
  .string()
  .transform((text) => text.split(',').map((url) => url.trim()))
  .pipe(z.array(backendUrlSetting).min(1))
  .refine((urls) => new Set(urls.map(backendId)).size === urls.length, {
    error: 'expected each backend only once',
  })

/** `content`: equal prompts and images go to the same backend while it has room; `off`: only hints do that. */
export const stickySetting = z.enum(['content', 'off']).default('content')

/** Name of a backend in logs and in the sticky choice. */
export function backendId(url: string): string {
  return new URL(url).host
}
