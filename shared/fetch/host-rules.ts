import * as z from 'zod'

/** Which of the public hosts images may be fetched from. Names as they stand in URLs: where they lead plays no part. */
export interface HostRules {
  /** None: all that are not denied. */
  readonly allowed: readonly string[]
  readonly denied: readonly string[]
}

export const anyHost: HostRules = { allowed: [], denied: [] }

/** A name or an address in brackets, and nothing else of a URL. */
const hostText = /^(\[[\da-f:.]+\]|[^\s/?#@\\*%:[\]]+)$/i

/** `images.example.com` is that host, `*.example.com` every one below `example.com`. Separated by commas. */
export const hostsSetting = z
  .string()
  .default('')
  .transform((text) => text.split(',').map((host) => host.trim()))
  .transform((hosts) => hosts.filter((host) => host !== '').map(normalHost))
  .refine((hosts): hosts is string[] => !hosts.includes(undefined), {
    error: 'expected host names, separated by commas, such as images.example.com or *.example.com',
  })

/** @param hostname of a parsed URL */
export function hostAllowed(hostname: string, { allowed, denied }: HostRules): boolean {
  const host = withoutRootDot(hostname)
  if (denied.some((rule) => matches(rule, host))) return false
  return allowed.length === 0 || allowed.some((rule) => matches(rule, host))
}

function matches(rule: string, host: string): boolean {
  return rule.startsWith('*.') ? host.endsWith(rule.slice(1)) : host === rule
}

/** As the URL parser spells it. @returns undefined for what is no host */
function normalHost(text: string): string | undefined {
  const [below, host] = text.startsWith('*.') ? ['*.', text.slice(2)] : ['', text]
  if (!hostText.test(host) || !URL.canParse(`http://${host}`)) return undefined
  return below + withoutRootDot(new URL(`http://${host}`).hostname)
}

function withoutRootDot(hostname: string): string {
  return hostname.replace(/\.$/, '')
}
