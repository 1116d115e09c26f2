/** A header's value with parameters, such as `form-data; name="prompt"`. */
export interface ParameterizedValue {
  /** The part before the parameters, in lower case. */
  readonly value: string
  /** Keyed by name in lower case. Where a name is repeated, the first one counts. */
  readonly parameters: ReadonlyMap<string, string>
}

const extendedValue = /^[^']*'[^']*'(.*)$/s

/**
 * Accepts what clients really send (RFC 9110, section 5.6.6, and beyond): names without quotes, no space after a
 * semicolon, `name*` with its character set (RFC 8187), and quoted values whose backslashes escape nothing, as in
 * Windows paths. Looks at every character once.
 */
export function parseParameters(text: string): ParameterizedValue {
  const parameters = new Map<string, string>()
  let at = endOfToken(text, 0)
  const value = text.slice(0, at).trim().toLowerCase()
  while (at < text.length) {
    const end = endOfToken(text, at + 1)
    const [name = ''] = text.slice(at + 1, end).split('=', 1)
    const equals = at + 1 + name.length
    if (equals === end) {
      at = end
      continue
    }
    const read = readValue(text, equals + 1)
    add(parameters, name.trim().toLowerCase(), read.value)
    at = read.end
  }
  return { value, parameters }
}

function add(parameters: Map<string, string>, name: string, value: string): void {
  const isExtended = name.endsWith('*')
  const plainName = isExtended ? name.slice(0, -1) : name
  if (!parameters.has(plainName)) parameters.set(plainName, isExtended ? decode(value) : value)
}

/** @returns index of the next semicolon, or of the end */
function endOfToken(text: string, from: number): number {
  const semicolon = text.indexOf(';', from)
  return semicolon < 0 ? text.length : semicolon
}

function readValue(text: string, from: number): { readonly value: string; readonly end: number } {
  let start = from
  while (text[start] === ' ' || text[start] === '\t') start += 1
  if (text[start] !== '"') {
    const end = endOfToken(text, start)
    return { value: text.slice(start, end).trim(), end }
  }
  const close = endOfQuoted(text, start + 1)
  const value = text.slice(start + 1, close).replace(/\\(["\\])/g, '$1')
  return { value, end: endOfToken(text, close) }
}

/** @returns index of the closing quote, or of the end */
function endOfQuoted(text: string, from: number): number {
  let at = from
  while (at < text.length && text[at] !== '"') {
    const next = text[at + 1]
    at += text[at] === '\\' && (next === '"' || next === '\\') ? 2 : 1
  }
  return Math.min(at, text.length)
}

/** Decodes `utf-8'en'na%C3%AFve`; a malformed value is returned unchanged. */
function decode(value: string): string {
  const encoded = extendedValue.exec(value)?.[1]
  if (encoded === undefined) return value
  try {
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}
