import { orTimeout } from '../../../shared/async/within-time.ts'
import { probeTimeoutMs } from './ask-backend.ts'

/** Milliseconds a result is reused: anybody may ask, and not every request must reach the parts that are checked. */
const cacheMs = 1_000

/**
 * A check shared by all callers: however many ask, it runs once a second, and never twice at the same time.
 * @param now milliseconds
 * @param version of what is checked: when it changes, the last result is out of date
 * @returns undefined when it takes too long
 */
export function oneLook<Seen, Asked extends readonly unknown[]>(
  look: (...asked: Asked) => Promise<Seen>,
  now: () => number,
  version: () => number = () => 0,
): (...asked: Asked) => Promise<Seen | undefined> {
  let latest:
    { readonly seen: Promise<Seen>; readonly at: number; readonly version: number } | undefined
  return (...asked) => {
    const [at, current] = [now(), version()]
    if (latest === undefined || at - latest.at >= cacheMs || current !== latest.version) {
      latest = { seen: look(...asked), at, version: current }
    }
    // A Worker may end the request that runs the check; the others do not wait longer for it than it may take.
    return orTimeout(latest.seen, probeTimeoutMs)
  }
}
