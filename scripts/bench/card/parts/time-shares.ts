import type { PartPlan } from './part.ts'

/** The share of a part's time in which it begins nothing more, so that what it has begun can end. */
const lastShare = 0.15

/**
 * Milliseconds after which a part counts as hung: its share of what is left. What the parts before it did not need is spread
 * over all that follow.
 * @param rest the part, and those after it
 */
export function limitOf(rest: readonly PartPlan[], leftMs: number): number {
  const all = rest.reduce((sum, { share }) => sum + share, 0)
  return Math.max(0, (leftMs * (rest[0]?.share ?? 0)) / all)
}

/** Milliseconds in which a part with this limit begins something. */
export function beginningMs(limitMs: number): number {
  return (1 - lastShare) * limitMs
}

/** What loading the weights once more adds to a part's share. */
const reloadShare = 50

/** The parts for a new process after one that died: the first that needs the weights has to load them again. */
export function afterRestart(rest: readonly PartPlan[]): PartPlan[] {
  const first = rest.findIndex(({ needsWeights }) => needsWeights)
  return rest.map((part, i) => (i === first ? { ...part, share: part.share + reloadShare } : part))
}
