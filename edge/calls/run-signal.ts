import type { EdgeContext } from '../platform.ts'

/** Aborted when the client leaves; never, when the run goes on without it. */
export function runSignal(c: EdgeContext): AbortSignal {
  return c.get('runsToEnd') === true ? new AbortController().signal : c.req.raw.signal
}
