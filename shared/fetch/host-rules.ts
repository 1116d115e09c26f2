import * as z from 'zod'
import { listItems } from '../settings/list.ts'

/**
 * Which public hosts images may be fetched from. Names are compared as they stand in URLs; where they resolve to is
 * irrelevant here.
 */
export interface HostRules {
  /** Empty means all that are not denied. */
  readonly allowed: readonly string[]
  readonly denied: readonly string[]
}

export const anyHost: HostRules = { allowed: [], denied: [] }

/** A host name, or an address in brackets, and no other part of a URL. */
const hostText = /^(\[[\da-f:.]+\]|[^\s/?#@\\*%:[\]]+)$/i

/** `images.example.com` is that host, `*.example.com` every host below `example.com`. Separated by commas. */
export const hostsSetting = z
  .string()
  .default('')
  .transform((text) => listItems(text).map(normalHost))
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

/** Normalises a host as the URL parser does. @returns undefined when the text is not a host */
function normalHost(text: string): string | undefined {
  const [below, host] = text.startsWith('*.') ? ['*.', text.slice(2)] : ['', text]
  if (!hostText.test(host) || !URL.canParse(`http://${host}`)) return undefined
  return below + withoutRootDot(new URL(`http://${host}`).hostname)
}

function withoutRootDot(hostname: string): string {
  return hostname.replace(/\.$/, '')
}
