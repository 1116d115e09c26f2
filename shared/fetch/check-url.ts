import { addressAllowed } from './ip-ranges.ts'

/** Why a URL may not be fetched; for logs, and for the wording of the client's error. */
export type UrlRefusal =
  | 'too_long'
  | 'not_absolute'
  | 'forbidden_characters'
  | 'scheme'
  | 'data_uri'
  | 'credentials'
  | 'port'
  | 'host_name'
  | 'address'

export type UrlCheck =
  { readonly ok: true; readonly url: URL } | { readonly ok: false; readonly reason: UrlRefusal }

/** Characters that browsers and servers accept everywhere. Signed storage URLs stay below 1,500. */
export const maxUrlChars = 2048

/** Special-use names (RFC 6761 and its relatives), and names that only have a meaning inside a private network. */
const specialSuffixes = [
  'alt',
  'arpa',
  'corp',
  'example',
  'home',
  'home.arpa',
  'internal',
  'intranet',
  'invalid',
  'lan',
  'local',
  'localdomain',
  'localhost',
  'onion',
  'private',
  'test',
]

// Parsers drop or reinterpret these, so two readers of the same text could see different hosts.
// oxlint-disable-next-line no-control-regex -- they are what it looks for
const forbiddenCharacters = /[\s\\\u0000-\u001f\u007f-\u009f]/u
const absolutePrefix = /^[a-z][a-z\d+.-]*:/i
const authority = /^(?:[a-z][a-z\d+.-]*:)?\/\/([^/?#]*)/i
const hostLabel = /^[a-z\d_-]{1,63}$/

/**
 * Judges a URL without touching the network. Everything about the host is read from the parsed URL, in which the
 * parser has already normalised decimal, hexadecimal, octal, short and full-width spellings.
 * @param base the URL that redirected here; without it the text must be absolute
 */
export function checkUrl(text: string, base?: URL): UrlCheck {
  const reason = checkText(text, base)
  if (reason !== undefined) return { ok: false, reason }
  if (!URL.canParse(text, base?.href)) return { ok: false, reason: 'not_absolute' }
  const url = new URL(text, base)
  const refusal = checkParts(url)
  return refusal === undefined ? { ok: true, url } : { ok: false, reason: refusal }
}

function checkText(text: string, base: URL | undefined): UrlRefusal | undefined {
  // Checked before the length, because a data URI is usually longer than a URL may be.
  if (/^data:/i.test(text)) return 'data_uri'
  if (text.length > maxUrlChars) return 'too_long'
  if (forbiddenCharacters.test(text)) return 'forbidden_characters'
  const host = authority.exec(text)?.[1]
  if (host === undefined) {
    // Without slashes it is either another scheme (data:) or a spelling only lenient parsers accept (http:host).
    if (absolutePrefix.test(text)) return /^https?:/i.test(text) ? 'not_absolute' : 'scheme'
    return base === undefined ? 'not_absolute' : undefined
  }
  if (host === '') return 'not_absolute'
  if (host.includes('@')) return 'credentials'
  return undefined
}

function checkParts(url: URL): UrlRefusal | undefined {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'scheme'
  if (url.username !== '' || url.password !== '') return 'credentials'
  if (!['', '80', '443'].includes(url.port)) return 'port'
  return checkHost(url.hostname)
}

function checkHost(hostname: string): UrlRefusal | undefined {
  if (hostname.startsWith('[')) {
    return addressAllowed(hostname.slice(1, -1)) ? undefined : 'address'
  }
  // The parser accepts a last label of digits only when the whole host is an IPv4 address.
  if (/^[\d.]+$/.test(hostname)) return addressAllowed(hostname) ? undefined : 'address'
  const name = hostname.replace(/\.$/, '')
  const labels = name.split('.')
  if (name.length > 253 || labels.length < 2) return 'host_name'
  if (!labels.every((label) => hostLabel.test(label))) return 'host_name'
  const special = specialSuffixes.some((suffix) => name.endsWith(`.${suffix}`))
  return special ? 'host_name' : undefined
}
