import { parseParameters } from './parameters.ts'

/** Only this many characters of `Accept` are read. Browsers send about 200. */
const maxAcceptChars = 2_048

/** Whether a client asks for server-sent events rather than JSON. */
export function acceptsEvents(accept: string | null): boolean {
  return asksFor('text/event-stream', accept)
}

/** Whether a client asks for HTML rather than JSON, as browsers do when they open an address. */
export function acceptsPage(accept: string | null): boolean {
  return asksFor('text/html', accept)
}

/**
 * True when an `Accept` header (RFC 9110, section 12.5.1) names the media type and does not prefer JSON to it. A
 * wildcard alone expresses no preference.
 */
function asksFor(type: string, accept: string | null): boolean {
  const ranges = rangesOf((accept ?? '').slice(0, maxAcceptChars))
  const wanted = ranges.get(type) ?? 0
  const json = ranges.get('application/json') ?? ranges.get('application/*') ?? ranges.get('*/*')
  return wanted > 0 && wanted >= (json ?? 0)
}

/** Media range -> its quality, 0 to 1. */
function rangesOf(accept: string): ReadonlyMap<string, number> {
  const ranges = new Map<string, number>()
  for (const range of accept.split(',')) {
    const { value, parameters } = parseParameters(range)
    const quality = Number(parameters.get('q') ?? 1)
    ranges.set(value, Math.max(ranges.get(value) ?? 0, Number.isNaN(quality) ? 1 : quality))
  }
  return ranges
}
