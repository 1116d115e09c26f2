import { parseParameters } from './parameters.ts'

/** Only this many characters of `Accept` are read. Browsers send about 200. */
const maxAcceptChars = 2_048

/**
 * True when an `Accept` header (RFC 9110, section 12.5.1) names server-sent events and does not prefer JSON to them.
 * A wildcard alone expresses no preference.
 */
export function acceptsEvents(accept: string | null): boolean {
  const ranges = rangesOf((accept ?? '').slice(0, maxAcceptChars))
  const events = ranges.get('text/event-stream') ?? 0
  const json = ranges.get('application/json') ?? ranges.get('application/*') ?? ranges.get('*/*')
  return events > 0 && events >= (json ?? 0)
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
