import { hashText } from './affinity.ts'

/** The facts that matter for choosing among servers. */
export interface Candidate {
  readonly id: string
  /** False while its breaker is open. */
  readonly available: boolean
  /** Whether that is because it did not answer in time; it may be well. */
  readonly silent?: boolean
  /** Requests in progress. */
  readonly outstanding: number
  /** The fraction of its usual load it should carry, above 0 and up to 1. */
  readonly share: number
}

/**
 * How far above the average a server may be loaded for the sake of its warm caches, as in consistent hashing with
 * bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016). 1.5 keeps most repeats together without swamping any server.
 */
const loadBound = 1.5

/**
 * The server for the next request: chosen from those available; if none is, from those that are only silent, or else from
 * all, since trying beats refusing.
 * With an `affinity`, the same text goes to the same server as long as its load allows, by rendezvous hashing
 * (Thaler, Ravishankar 1998), so that adding or removing a server moves only its own part. Without one, the least
 * loaded server relative to its share.
 * @param random from 0 up to 1; decides ties, so that many callers do not all start with the same server
 * @returns undefined when there is no candidate
 */
export function chooseServer<C extends Candidate>(
  candidates: readonly C[],
  affinity: string | undefined,
  random: number,
): C | undefined {
  const eligible = [
    candidates.filter(({ available }) => available),
    candidates.filter(({ silent }) => silent),
    candidates,
  ].find(({ length }) => length > 0)
  if (eligible === undefined) return undefined
  return affinity === undefined ? leastLoaded(eligible, random) : preferred(eligible, affinity)
}

function leastLoaded<C extends Candidate>(candidates: readonly C[], random: number): C | undefined {
  const least = Math.min(...candidates.map(loadWithOneMore))
  const equals = candidates.filter((candidate) => loadWithOneMore(candidate) === least)
  return equals[Math.floor(random * equals.length)]
}

function loadWithOneMore({ outstanding, share }: Candidate): number {
  return (outstanding + 1) / share
}

function preferred<C extends Candidate>(candidates: readonly C[], affinity: string): C | undefined {
  const total = candidates.reduce((sum, { outstanding }) => sum + outstanding, 1)
  const shares = candidates.reduce((sum, { share }) => sum + share, 0)
  const ranked = candidates
    .map((candidate) => ({ candidate, score: hashText(`${affinity}\n${candidate.id}`) }))
    .toSorted((left, right) => right.score - left.score)
  const roomy = ranked.find(({ candidate: { outstanding, share } }) => {
    return outstanding < Math.ceil((loadBound * total * share) / shares)
  })
  return roomy?.candidate
}
