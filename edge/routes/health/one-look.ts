import { orTimeout } from '../../../shared/async/within-time.ts'
import { probeTimeoutMs } from './ask-backend.ts'

/** Milliseconds a look stands: anybody may ask, and must not reach what is looked at with every question. */
const cacheMs = 1_000

/**
 * A look that all who ask share: however many ask, it is taken once a second, and never twice at once.
 * @param now milliseconds
 * @returns undefined when it takes too long
 */
export function oneLook<Seen, Asked extends readonly unknown[]>(
  look: (...asked: Asked) => Promise<Seen>,
  now: () => number,
): (...asked: Asked) => Promise<Seen | undefined> {
  let latest: { readonly seen: Promise<Seen>; readonly at: number } | undefined
  return (...asked) => {
    if (latest === undefined || now() - latest.at >= cacheMs) {
      latest = { seen: look(...asked), at: now() }
    }
    // A Worker may end the request that looks; the others do not wait for it longer than it may take.
    return orTimeout(latest.seen, probeTimeoutMs)
  }
}
