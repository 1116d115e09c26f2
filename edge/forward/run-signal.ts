import type { EdgeContext } from '../platform.ts'

/** Aborted when the client leaves; never, when the run goes on without it. */
export function runSignal(c: EdgeContext): AbortSignal {
  return c.get('runsToEnd') === true ? new AbortController().signal : c.req.raw.signal
}

/** All that ends the call of the backend early. */
export function endSignals(c: EdgeContext): readonly AbortSignal[] {
  const withdrawn = c.get('withdrawn')
  return withdrawn === undefined ? [runSignal(c)] : [runSignal(c), withdrawn]
}
