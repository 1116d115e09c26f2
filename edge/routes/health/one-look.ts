import { orTimeout } from '../../../shared/async/within-time.ts'
import { probeTimeoutMs } from './ask-backend.ts'

/**
 * Milliseconds a result is reused: less than the time between two probes, so that each sees what a request would meet
 * now, and enough to keep a flood of probes from the parts that are checked.
 */
const cacheMs = 50

interface Look<Seen> {
  readonly seen: Promise<Seen>
  readonly at: number
  readonly version: number
  isOver: boolean
}

/**
 * A check shared by all callers: however many ask, it starts again 50 ms after its last start at the earliest, and not
 * before it is over.
 * @param now milliseconds
 * @param version of what is checked: when it changes, the last result is out of date
 * @returns undefined when it takes too long
 */
export function oneLook<Seen, Asked extends readonly unknown[]>(
  look: (...asked: Asked) => Promise<Seen>,
  now: () => number,
  version: () => number = () => 0,
): (...asked: Asked) => Promise<Seen | undefined> {
  let latest: Look<Seen> | undefined
  return (...asked) => {
    const [at, current] = [now(), version()]
    if (latest === undefined || current !== latest.version || at - latest.at >= lifeOf(latest)) {
      latest = begin(look(...asked), at, current)
    }
    return orTimeout(latest.seen, probeTimeoutMs)
  }
}

/** A Worker may end the request that runs a check, which is then never over; others do not wait longer than it may take. */
function lifeOf({ isOver }: Look<unknown>): number {
  return isOver ? cacheMs : probeTimeoutMs
}

function begin<Seen>(seen: Promise<Seen>, at: number, version: number): Look<Seen> {
  const look = { seen, at, version, isOver: false }
  const end = () => {
    look.isOver = true
  }
  seen.then(end, end)
  return look
}
