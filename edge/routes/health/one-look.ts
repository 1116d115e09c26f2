import { orTimeout } from '../../../shared/async/within-time.ts'
import { probeTimeoutMs } from './ask-backend.ts'

interface Look<Seen> {
  readonly seen: Promise<Seen>
  readonly at: number
  readonly version: number
  isOver: boolean
}

interface LookParts {
  /** Milliseconds. */
  readonly now: () => number
  /** Of what is checked: when it changes, the last result is out of date. */
  readonly version: () => number
  /** Milliseconds from the start of a check for which its result is reused. */
  readonly cacheMs: number
}

/**
 * A check shared by all callers: however many ask, it starts again `cacheMs` after its last start at the earliest, and
 * not before it is over.
 * @returns undefined when it takes too long
 */
export function oneLook<Seen, Asked extends readonly unknown[]>(
  look: (...asked: Asked) => Promise<Seen>,
  { now, version, cacheMs }: LookParts,
): (...asked: Asked) => Promise<Seen | undefined> {
  let latest: Look<Seen> | undefined
  return (...asked) => {
    const [at, current] = [now(), version()]
    // A Worker may end the request that runs a check, which is then never over.
    const lifeMs = latest?.isOver === false ? probeTimeoutMs : cacheMs
    if (latest === undefined || current !== latest.version || at - latest.at >= lifeMs) {
      latest = begin(look(...asked), at, current)
    }
    return orTimeout(latest.seen, probeTimeoutMs)
  }
}

function begin<Seen>(seen: Promise<Seen>, at: number, version: number): Look<Seen> {
  const look = { seen, at, version, isOver: false }
  const end = () => {
    look.isOver = true
  }
  seen.then(end, end)
  return look
}
